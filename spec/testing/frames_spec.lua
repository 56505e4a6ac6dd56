local frames = require "sprylua.testing.frames"

local function hex(s)
  return (s:gsub("%s", ""):gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end))
end

describe("frames", function()
  -- RFC 6455 section 5.7's examples.
  local examples = {
    { "an unmasked text", hex "81 05 48 65 6c 6c 6f", { opcode = "text", payload = "Hello", mask = false } },
    { "a masked text", hex "81 85 37 fa 21 3d 7f 9f 4d 51 58", { opcode = "text", payload = "Hello" } },
    { "a fragment", hex "01 03 48 65 6c",
      { opcode = "text", payload = "Hel", fin = false, mask = false } },
    { "the last fragment", hex "80 02 6c 6f", { opcode = "continuation", payload = "lo", mask = false } },
    { "a ping", hex "89 05 48 65 6c 6c 6f", { opcode = "ping", payload = "Hello", mask = false } },
    { "a masked pong", hex "8a 85 37 fa 21 3d 7f 9f 4d 51 58", { opcode = "pong", payload = "Hello" } },
    { "256 bytes", hex "82 7e 01 00" .. ("\xa5"):rep(256),
      { opcode = "binary", payload = ("\xa5"):rep(256), mask = false } },
    { "64 KiB", hex "82 7f 00 00 00 00 00 01 00 00" .. ("x"):rep(65536),
      { opcode = "binary", payload = ("x"):rep(65536), mask = false } },
  }

  for _, example in ipairs(examples) do
    local name, bytes, frame = table.unpack(example)
    it("encodes and decodes " .. name, function()
      assert.equal(bytes, frames.encode(frame))
      local decoded, next = frames.decode(bytes)
      assert.equal(#bytes + 1, next)
      assert.equal(frame.payload, decoded.payload)
      assert.equal(frame.opcode, decoded.name)
      assert.equal(frame.fin ~= false, decoded.fin)
      assert.equal(frame.mask == nil, decoded.masked)
      assert.is_true(decoded.minimal)
    end)
  end

  it("waits for the rest of a frame", function()
    local bytes = frames.encode { opcode = "binary", payload = ("y"):rep(200) }
    for n = 0, #bytes - 1 do assert.is_nil(frames.decode(bytes:sub(1, n))) end
    assert.is_table(frames.decode(bytes))
  end)

  it("masks any length, and masking twice is nothing", function()
    for _, n in ipairs { 0, 1, 3, 4, 5, 4095, 4096, 4097, 10001 } do
      local payload = ("abcdefg"):rep(n // 7 + 1):sub(1, n)
      assert.equal(payload, frames.mask(frames.mask(payload, "\1\2\3\4"), "\1\2\3\4"))
    end
    assert.equal("\xff", frames.mask("\0", "\xff\0\0\0"))
  end)

  it("can be wrong on purpose", function()
    local frame = frames.decode(frames.encode { opcode = 11, payload = "a", rsv = 5, wide = 64 })
    assert.equal("opcode 11", frame.name)
    assert.equal(5, frame.rsv)
    assert.is_false(frame.minimal)
    assert.is_nil(frames.decode(frames.encode { opcode = "text", payload = "a", length = 2 }))
    assert.has_error(function() frames.encode { opcode = "test" } end)
  end)

  it("packs and parses close payloads", function()
    assert.equal("\x03\xe8bye", frames.closePayload(1000, "bye"))
    assert.equal("", frames.closePayload())
    assert.same({ 1001, "gone" }, { frames.parseClose "\x03\xe9gone" })
    assert.same({ 1005, "" }, { frames.parseClose "" })
  end)
end)
