-- Large messages and many: up to 16 MiB, in frames and in packets of all sizes.

local cases = require "spec.support.ws_cases"

local frame, from_server = cases.frame, cases.from_server

local KIB, MIB = 1024, 1024 * 1024
local LIMIT = { maxMessage = 16 * MIB }

-- A frame whose mask changes nothing: masking 16 MiB in Lua takes its time.
local function plain(opcode, payload, fin)
  return frame(opcode, "", { length = #payload, mask = "\0\0\0\0", fin = fin }) .. payload
end

local letters = ("0123456789abcdefghijklmnopqrstuvwxyz €"):rep(MIB // 40 + 1)

local function payload(n)
  local text = letters:rep(n // #letters + 1):sub(1, n)
  return utf8.len(text) and text or text:gsub("[^%g ]+$", function(half) return ("x"):rep(#half) end)
end

local function in_frames(kind, message, size)
  local parts = {}
  for at = 1, #message, size do
    parts[#parts + 1] = plain(at == 1 and kind or "continuation", message:sub(at, at + size - 1),
      at + size > #message)
  end
  return table.concat(parts)
end

-- Feeds the bytes in packets, and returns what was answered.
local function answer(client, bytes, packet)
  for at = 1, #bytes, packet do client.peer:feed(bytes:sub(at, at + packet - 1)) end
  return client:take()
end

local function echoes(client, kind, message, bytes, packet)
  assert.is_true(answer(client, bytes, packet) == from_server(kind, message))
end

describe("a message", function()
  local app = cases.app(nil, LIMIT)

  for _, kind in ipairs { "text", "binary" } do
    for _, size in ipairs { 64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB } do
      it(("of %d KiB, a %s, is echoed, whole, in halves and in pieces"):format(size // KIB, kind), function()
        local client <close> = cases.open(app)
        local message = payload(size)
        local bytes = plain(kind, message)
        for _, packet in ipairs { #bytes, #bytes // 2 + 1, 65536, 4099 } do
          echoes(client, kind, message, bytes, packet)
        end
      end)
    end

    it(("of 4 MiB, a %s, is echoed from frames of every size"):format(kind), function()
      local client <close> = cases.open(app)
      local message = payload(4 * MIB)
      for _, size in ipairs { 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB } do
        echoes(client, kind, message, in_frames(kind, message, size), 65536)
      end
    end)

    it(("of 1 MiB, a %s, is echoed from packets of every size"):format(kind), function()
      local client <close> = cases.open(app)
      local message = payload(MIB)
      for _, packet in ipairs { 64, 128, 256, 512, KIB, 2 * KIB } do
        echoes(client, kind, message, plain(kind, message), packet)
      end
    end)
  end

  it("of 64 KiB is echoed from frames of 1300 bytes, which come byte by byte", function()
    local client <close> = cases.open(app)
    local message = payload(64 * KIB)
    echoes(client, "text", message, in_frames("text", message, 1300), 1)
  end)

  it("of one byte more than 16 MiB is 1009, whole and in frames", function()
    local message = payload(16 * MIB + 1)
    for _, bytes in ipairs { plain("binary", message), in_frames("text", message, MIB) } do
      local client <close> = cases.open(app)
      assert.equal(cases.closed(1009), answer(client, bytes, 65536))
    end
  end)
end)

describe("a thousand messages", function()
  for _, size in ipairs { 0, 16, 64, 256, 1024, 4096, 16384, 65536 } do
    it(("of %d bytes are echoed one by one, and in one go"):format(size), function()
      local client <close> = cases.open(cases.app())
      local message = payload(size)
      local bytes, expected = plain("text", message), from_server("text", message)
      for _ = 1, 1000 do assert.is_true(client:send(bytes) == expected) end
      assert.is_true(answer(client, bytes:rep(1000), 65536) == expected:rep(1000))
    end)
  end
end)

describe("a close behind a large message", function()
  it("comes behind its answer, and what follows it is dropped", function()
    local client <close> = cases.open(cases.app())
    local message = payload(256 * KIB)
    local bytes = plain("text", message) .. cases.close(1000) .. cases.ping "too late"
    assert.is_true(answer(client, bytes, 1500) == from_server("text", message) .. cases.closed(1000))
    assert.is_true(client.peer:closed())
  end)
end)
