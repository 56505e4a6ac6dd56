-- Compressed messages that come in: RFC 7692 sections 6 and 7.2.2.

local cases = require "spec.support.ws_cases"
local deflate = require "spec.support.deflate"
local memory = require "spec.support.memory"

local text, binary, ping, frame, fragments = cases.text, cases.binary, cases.ping, cases.frame, cases.fragments
local from_server, closed = cases.from_server, cases.closed
local deflated, noise = deflate.payload, deflate.noise

local INVALID, TOO_BIG, PROTOCOL_ERROR = closed(1007), closed(1009), closed(1002)
local RSV1 = { rsv = 4 }

local OFFER = { ["sec-websocket-extensions"] = "permessage-deflate" }
-- Answers are sent as they are, so that what they are can be told in advance.
local TAKEOVER = { compress = { contextTakeover = true, threshold = 1 << 30 } }
local NO_TAKEOVER = { compress = { threshold = 1 << 30 } }

local function run(list, options)
  for _, case in ipairs(list) do case.fields, case.options = OFFER, case.options or options end
  cases.run(it, list)
end

local function open(options, offer, session)
  local fields = { ["sec-websocket-extensions"] = offer or "permessage-deflate" }
  return cases.open(cases.app(session, options), nil, fields)
end

local function hex(digits)
  return (digits:gsub("%s", ""):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function bytewise(bytes)
  local list = {}
  for byte in bytes:gmatch "." do list[#list + 1] = byte end
  return list
end

-- A compressed message in fragments: only the first says so.
local function deflated_fragments(kind, parts, between)
  local list = {}
  for i, part in ipairs(parts) do
    list[i] = frame(i == 1 and kind or "continuation", part, { fin = i == #parts, rsv = i == 1 and 4 or 0 })
  end
  return table.concat(list, between or "")
end

local HELLO = hex "f2 48 cd c9 c9 07 00"

describe("the examples of RFC 7692, section 7.2.3:", function()
  run({
    { "a message in one block", open = true, input = text(HELLO, RSV1), output = from_server("text", "Hello"),
      events = { { "text", "Hello" } } },
    { "the same in two fragments", open = true,
      input = deflated_fragments("text", { hex "f2 48 cd", hex "c9 c9 07 00" }),
      output = from_server("text", "Hello") },
    { "a second one that refers to the first", open = true,
      input = text(HELLO, RSV1) .. text(hex "f2 00 11 00 00", RSV1), output = from_server("text", "Hello"):rep(2) },
    { "the same again, since nothing need be referred to", open = true, input = text(HELLO, RSV1):rep(3),
      output = from_server("text", "Hello"):rep(3) },
    { "a block without compression", open = true, input = text(hex "00 05 00 fa ff 48 65 6c 6c 6f 00", RSV1),
      output = from_server("text", "Hello") },
    { "a final block", open = true, input = text(hex "f3 48 cd c9 c9 07 00 00", RSV1),
      output = from_server("text", "Hello") },
    { "two blocks", open = true, input = text(hex "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", RSV1),
      output = from_server("text", "Hello") },
    { "an empty message", open = true, input = text(hex "00", RSV1), output = from_server("text", "") },
  }, TAKEOVER)

  run({
    { "a second one that refers to the first, where that was ruled out", input = text(HELLO, RSV1)
      .. text(hex "f2 00 11 00 00", RSV1), output = from_server("text", "Hello") .. INVALID,
      events = { { "text", "Hello" }, { "close", 1007, "a compressed message can't be inflated" } } },
  }, NO_TAKEOVER)
end)

for name, options in pairs { ["with takeover"] = TAKEOVER, ["without takeover"] = NO_TAKEOVER } do
  describe("a compressed message " .. name, function()
    local long = ("0123456789 and more "):rep(500)
    local short = long:sub(1, 200)
    run({
      { "may be a binary", open = true, input = binary(deflated "\0\xff\xfe", RSV1),
        output = from_server("binary", "\0\xff\xfe") },
      { "may be long", open = true, input = text(deflated(long), RSV1), output = from_server("text", long) },
      { "may come among others that are not compressed", open = true,
        input = text "a" .. text(deflated "b", RSV1) .. binary "c" .. binary(deflated "d", RSV1),
        output = from_server("text", "a") .. from_server("text", "b") .. from_server("binary", "c")
          .. from_server("binary", "d") },
      { "may come in fragments of a byte, with pings between", open = true,
        input = deflated_fragments("text", bytewise(deflated(short)), ping "?"),
        output = from_server("pong", "?"):rep(#deflated(short) - 1) .. from_server("text", short) },
      { "may have empty fragments", open = true,
        input = deflated_fragments("text", { "", "", HELLO:sub(1, 3), "", HELLO:sub(4), "" }),
        output = from_server("text", "Hello") },
      { "may be followed by fragments that are not compressed", open = true,
        input = text(HELLO, RSV1) .. fragments("text", { "a", "b" }) .. text(HELLO, RSV1),
        output = from_server("text", "Hello") .. from_server("text", "ab") .. from_server("text", "Hello") },
      { "may be no bytes at all", open = true, input = text("", RSV1) .. text(HELLO, RSV1)
        .. binary("", RSV1) .. deflated_fragments("text", { "", "" }) .. text(HELLO, RSV1),
        output = from_server("text", "") .. from_server("text", "Hello") .. from_server("binary", "")
          .. from_server("text", "") .. from_server("text", "Hello") },
      { "may be in final blocks, one after the other", open = true,
        input = text(hex "f3 48 cd c9 c9 07 00" .. hex "f3 48 cd c9 c9 07 00" .. "\0", RSV1):rep(2),
        output = from_server("text", "HelloHello"):rep(2) },
      { "may end with a final block and nothing behind it", open = true,
        input = text(hex "f3 48 cd c9 c9 07 00", RSV1):rep(2), output = from_server("text", "Hello"):rep(2) },
      { "may be sync-flushed between its fragments", open = true,
        input = deflated_fragments("text", { deflated "one " .. "\0\0\xff\xff", deflated "two" }),
        output = from_server("text", "one two") },
      { "may have many empty blocks", open = true, input = text(("\0\0\0\xff\xff"):rep(50) .. HELLO, RSV1),
        output = from_server("text", "Hello") },
      { "may refer to itself", open = true, input = text(deflated(("a"):rep(1000)), RSV1),
        output = from_server("text", ("a"):rep(1000)) },
      { "that is noise may get longer", open = true, input = binary(deflated(noise(3000)), RSV1),
        output = from_server("binary", noise(3000)) },
    }, options)

    run({
      { "that is no deflate is 1007", input = text "a" .. text("\xff\xff\xff", RSV1) .. text "too late",
        output = from_server("text", "a") .. INVALID },
      { "with a reserved kind of block is 1007", input = text("\x06", RSV1), output = INVALID },
      { "whose stored length is wrong is 1007", input = text(hex "00 05 00 fa fe 48 65", RSV1), output = INVALID },
      { "that refers to what never was is 1007", input = text(hex "f2 00 11 00 00", RSV1), output = INVALID },
      { "that is broken off is 1007", input = text(deflated(long):sub(1, 20), RSV1), output = INVALID },
      { "that lacks its last byte is 1007", input = text(HELLO:sub(1, -2), RSV1), output = INVALID },
      { "that is broken off in fragments is 1007",
        input = deflated_fragments("binary", { HELLO:sub(1, 2), HELLO:sub(3, 4) }), output = INVALID },
      { "behind a final block, which is none, is 1007", input = text(hex "f3 48 cd c9 c9 07 00 ff", RSV1),
        output = INVALID },
    }, options)

    run({
      { "must be UTF-8 when it is a text", input = text(deflated "ab\xff", RSV1), output = INVALID,
        events = { { "close", 1007, "a text is not valid UTF-8" } } },
      { "must not end in the middle of a character", input = text(deflated "\xe2\x82", RSV1), output = INVALID },
      { "may have a character in two of its blocks", open = true,
        input = deflated_fragments("text", { deflated "\xe2" .. "\0\0\xff\xff", deflated "\x82\xac" }, ping ""),
        output = from_server("pong", "") .. from_server("text", "€") },
      { "need not be UTF-8 when it is a binary", open = true, input = binary(deflated "ab\xff", RSV1),
        output = from_server("binary", "ab\xff") },
    }, options)

    it("may be of any size, whole and in frames of any size", function()
      local client <close> = open(options)
      local deflater = deflate.deflater()
      for _, size in ipairs { 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072, 1048576 } do
        local data = (long .. size):rep(size // #long + 1):sub(-size)
        for _, piece in ipairs { size, 1, 256, 1024, 32768 } do
          deflater:reset()
          local payload, parts = deflater:payload(data), {}
          for at = 1, #payload, piece do parts[#parts + 1] = payload:sub(at, at + piece - 1) end
          assert.is_true(client:send(deflated_fragments("text", parts)) == from_server("text", data))
        end
      end
    end)

    it("fails as soon as it is not UTF-8, though more is to come", function()
      local client <close> = open(options)
      local payload = deflated "ab\xff" .. "\0\0\xff\xff"
      assert.equal(INVALID, client:send(text(payload, { fin = false, rsv = 4 })))
    end)

    it("fails as soon as it can't be inflated, though more is to come", function()
      local client <close> = open(options)
      assert.equal(INVALID, client:send(text("\xff", { length = 70000, rsv = 4 })))
    end)
  end)
end

describe("a reserved bit", function()
  local bad = {}
  for rsv = 1, 7 do
    local bits = { rsv = rsv }
    if rsv ~= 4 then
      bad[#bad + 1] = { ("%d of a text is 1002"):format(rsv), input = text(HELLO, bits), output = PROTOCOL_ERROR }
    end
    bad[#bad + 1] = { ("%d of a ping is 1002"):format(rsv), input = ping(HELLO, bits), output = PROTOCOL_ERROR }
    bad[#bad + 1] = { ("%d of a pong is 1002"):format(rsv), input = cases.pong("", bits), output = PROTOCOL_ERROR }
    bad[#bad + 1] = { ("%d of a close is 1002"):format(rsv), input = cases.close(1000, "", bits),
      output = PROTOCOL_ERROR }
    bad[#bad + 1] = {
      ("%d of a continuation is 1002"):format(rsv), output = PROTOCOL_ERROR,
      input = text(HELLO:sub(1, 3), { fin = false, rsv = 4 }) .. frame("continuation", HELLO:sub(4), bits),
    }
    bad[#bad + 1] = {
      ("%d of a message that began without it is 1002"):format(rsv), output = PROTOCOL_ERROR,
      input = text("a", { fin = false }) .. frame("continuation", HELLO, bits),
    }
    bad[#bad + 1] = { ("%d of a reserved opcode is 1002"):format(rsv), input = frame(3, HELLO, bits),
      output = PROTOCOL_ERROR }
  end
  run(bad, TAKEOVER)

  it("is refused before the payload has come", function()
    local client <close> = open(TAKEOVER)
    assert.equal(PROTOCOL_ERROR, client:send(ping("", { rsv = 4, length = 100 })))
  end)
end)

describe("the size of a compressed message", function()
  local function limited(max)
    return { maxMessage = max, compress = { threshold = 1 << 30 } }
  end

  run({
    { "counts inflated", open = true, options = limited(1000), input = text(deflated(("a"):rep(1000)), RSV1),
      output = from_server("text", ("a"):rep(1000)) },
    { "over maxMessage is 1009", options = limited(1000), input = text(deflated(("a"):rep(1001)), RSV1) .. text "b",
      output = TOO_BIG, events = { { "close", 1009, "the message is longer than maxMessage" } } },
    { "counts in fragments too", options = limited(1000),
      input = deflated_fragments("binary", bytewise(deflated(("a"):rep(1001)))), output = TOO_BIG },
    { "does not count what it is compressed", open = true, options = limited(10),
      input = text(("\0\0\0\xff\xff"):rep(50) .. HELLO, RSV1), output = from_server("text", "Hello") },
    { "of 0 is allowed when nothing else is", options = limited(0),
      input = text("\0", RSV1) .. text("", RSV1) .. text(deflated "a", RSV1),
      output = from_server("text", ""):rep(2) .. TOO_BIG },
  })

  it("is given up long before a bomb has gone off", function()
    local bomb = deflated(("\0"):rep(32 << 20)) -- 32 KiB that become 32 MiB
    local before = memory.resident()
    local whole <close> = open { compress = true }
    assert.equal(TOO_BIG, whole:send(binary(bomb, RSV1)))
    assert.is_true(not before or memory.resident() - before < 4 << 20)
    local client <close> = open { compress = true }
    assert.equal(TOO_BIG, client:send(binary(bomb:sub(1, 2000), { rsv = 4, length = #bomb, mask = "\0\0\0\0" })))
  end)

  it("of many in one packet is no bomb either: they are read in turn", function()
    local parked
    local client <close> = open({ compress = { threshold = 1 << 30 } }, nil, function(ws, seen)
      parked = coroutine.running()
      coroutine.yield()
      cases.echo(ws, seen)
    end)
    local message = ("x"):rep(1 << 20)
    local packet = binary(deflated(message), RSV1):rep(40)
    local before = memory.resident()
    client:send(packet)
    assert.is_true(not before or memory.resident() - before < 8 << 20)
    assert(coroutine.resume(parked))
    client.app.core:settle()
    assert.equal(40, #client.seen)
    for i = 1, 40 do assert.is_true(client.seen[i][2] == message) end
  end)
end)

describe("a compressed message with a wrong byte", function()
  -- zlib itself is the second opinion, though it does not look at where a message ends.
  it("is 1007, or what zlib makes of it", function()
    local app = cases.app(nil, NO_TAKEOVER)
    local good = deflated(("some text and more text, "):rep(20) .. noise(50))
    local refused, taken = 0, 0
    for at = 1, #good do
      for flip = 0, 7 do
        local bad = good:sub(1, at - 1) .. string.char(good:byte(at) ~ 1 << flip) .. good:sub(at + 1)
        local client <close> = cases.open(app, nil, OFFER)
        local fine, expected = pcall(function() return deflate.inflater():message(bad) end)
        local got = client:send(binary(bad, RSV1))
        if got == INVALID then
          refused = refused + 1
        else
          taken = taken + 1
          assert.is_true(fine)
          local payload = require("sprylua.testing.frames").decode(got).payload
          assert.equal(expected, payload:sub(1, #expected)) -- it stops at a final block
        end
      end
    end
    assert.is_true(refused > 100 and taken > 100)
  end)
end)

describe("a context of the client", function()
  it("is carried through messages of all sorts", function()
    local client <close> = open(TAKEOVER)
    local deflater = deflate.deflater()
    for i = 1, 50 do
      local data = ("message %d of many, "):format(i):rep(i % 7 + 1)
      local payload = i % 9 == 0 and deflater:final(data) or deflater:payload(data)
      assert.equal(from_server("text", data), client:send(text(payload, RSV1)))
      assert.equal(from_server("text", "plain"), client:send(text "plain"))
      if i % 10 == 0 then deflater:reset() end -- it may forget by itself
    end
  end)

  it("outlives a final block", function()
    local client <close> = open(TAKEOVER)
    assert.equal(from_server("text", "Hello"), client:send(text(hex "f3 48 cd c9 c9 07 00 00", RSV1)))
    assert.equal(from_server("text", "Hello"), client:send(text(hex "f2 00 11 00 00", RSV1)))
  end)

  it("is bounded by the window that was agreed on", function()
    local options = { compress = { contextTakeover = true, windowBits = 9, threshold = 1 << 30 } }
    local client <close> = open(options, "permessage-deflate; client_max_window_bits")
    assert.matches("; client_max_window_bits=9\r\n", client.head)
    local far = noise(2000)
    local deflater = deflate.deflater(9)
    for _ = 1, 3 do
      assert.equal(from_server("binary", far), client:send(binary(deflater:payload(far), RSV1)))
    end
    deflater = deflate.deflater(15)
    assert.equal(from_server("binary", far), client:send(binary(deflater:payload(far), RSV1)))
    assert.equal(INVALID, client:send(binary(deflater:payload(far), RSV1))) -- it refers too far back
  end)

  it("belongs to one connection alone", function()
    for _, options in ipairs { TAKEOVER, NO_TAKEOVER } do
      local app = cases.app(nil, options)
      local first <close> = cases.open(app, nil, OFFER)
      local second <close> = cases.open(app, nil, OFFER)
      local halves = { HELLO:sub(1, 4), HELLO:sub(5) }
      for _ = 1, 3 do
        first:send(text(halves[1], { fin = false, rsv = 4 }))
        second:send(text(halves[1], { fin = false, rsv = 4 }))
        assert.equal(from_server("text", "Hello"), first:send(frame("continuation", halves[2])))
        assert.equal(from_server("text", "Hello"), second:send(frame("continuation", halves[2])))
      end
      second:hangup()
      local third <close> = cases.open(app, nil, OFFER)
      assert.equal(INVALID, third:send(text(hex "f2 00 11 00 00", RSV1)))
    end
  end)

  it("may be lost in the middle of a message", function()
    for _, options in ipairs { TAKEOVER, NO_TAKEOVER } do
      local app = cases.app(nil, options)
      for n = 0, #HELLO do
        local client <close> = cases.open(app, nil, OFFER)
        client:send(text(HELLO, RSV1):sub(1, 6 + n))
        client:hangup()
        assert.equal(1006, client.seen[#client.seen][2])
      end
      assert.equal(0, app.core:stats().connections)
    end
  end)
end)
