-- The base framing protocol, fragmentation and control frames: RFC 6455 sections 5.1 to 5.5 and 5.8.

local cases = require "spec.support.ws_cases"
local memory = require "spec.support.memory"

local text, binary, ping, pong, close = cases.text, cases.binary, cases.ping, cases.pong, cases.close
local frame, fragments = cases.frame, cases.fragments
local from_server, closed = cases.from_server, cases.closed

local PROTOCOL_ERROR, TOO_BIG = closed(1002), closed(1009)

-- A case whose last frame breaks the protocol: what came before it is answered, what comes behind it is dropped.
local function broken(name, bytes, before, answer)
  return {
    name,
    input = (before or "") .. bytes .. text "too late" .. ping "too late",
    output = (answer or "") .. PROTOCOL_ERROR,
  }
end

local function payload(n)
  return (("0123456789abcdefghijklmnopqrstuvwxyz"):rep(n // 36 + 1):sub(1, n))
end

describe("a frame's length", function()
  local lengths = {}
  for _, n in ipairs { 0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 4083, 4096, 65535, 65536, 65537, 1048576 } do
    for _, kind in ipairs { "text", "binary" } do
      lengths[#lengths + 1] = {
        ("of %d of a %s is taken and sent in its shortest form"):format(n, kind),
        input = frame(kind, payload(n)) .. close(1000),
        output = from_server(kind, payload(n)) .. closed(1000),
        events = { { kind, payload(n) }, { "close", 1000, "" } },
      }
    end
  end
  cases.run(it, lengths)

  cases.run(it, {
    { "of 126 to 65535 in eight bytes is 1002", input = text(payload(300), { wide = 64 }), output = PROTOCOL_ERROR },
    { "of less than 126 in eight bytes is 1002", input = text("a", { wide = 64 }), output = PROTOCOL_ERROR },
    { "of less than 126 in two bytes is 1002", input = text("a", { wide = 16 }), output = PROTOCOL_ERROR },
    { "of 0 in two bytes is 1002", input = text("", { wide = 16 }), output = PROTOCOL_ERROR },
    { "of 125 in two bytes is 1002", input = binary(payload(125), { wide = 16 }), output = PROTOCOL_ERROR },
    { "of 65535 in eight bytes is 1002", input = binary("", { wide = 64, length = 65535 }), output = PROTOCOL_ERROR },
    { "with the top bit set is 1002", input = binary("", { length = math.mininteger }), output = PROTOCOL_ERROR },
    { "of 2^64 - 1 is 1002", input = binary("", { length = -1 }), output = PROTOCOL_ERROR },
  })

  cases.run(it, {
    {
      "up to maxMessage is taken", options = { maxMessage = 1000 }, open = true,
      input = text(payload(1000)), output = from_server("text", payload(1000)),
    },
    {
      "over maxMessage is 1009", options = { maxMessage = 1000 },
      input = text "first" .. text(payload(1001)), output = from_server("text", "first") .. TOO_BIG,
      events = { { "text", "first" }, { "close", 1009, "the message is longer than maxMessage" } },
    },
    { "over the usual maxMessage is 1009", input = binary(payload(1048577)), output = TOO_BIG },
    { "far over maxMessage is 1009 as soon as it is known", input = binary("", { length = 1 << 40 }),
      output = TOO_BIG },
    { "of 2^63 - 1 is 1009 as soon as it is known", input = text("", { length = math.maxinteger }), output = TOO_BIG },
    {
      "over maxMessage in fragments is 1009", options = { maxMessage = 10 },
      input = fragments("text", { "12345", "12345", "" }) .. fragments("text", { "12345", "12345", "6" }),
      output = from_server("text", "1234512345") .. TOO_BIG,
    },
    {
      "counts the fragments together", options = { maxMessage = 10 },
      input = fragments("binary", { "123456", "78901" }, ping "in between"),
      output = from_server("pong", "in between") .. TOO_BIG,
    },
    {
      "of a control frame does not count", options = { maxMessage = 10 }, open = true,
      input = text("12345", { fin = false }) .. ping(payload(125)) .. frame("continuation", "67890"),
      output = from_server("pong", payload(125)) .. from_server("text", "1234567890"),
    },
    {
      "of 0 is allowed when nothing else is", options = { maxMessage = 0 },
      input = text "" .. binary "" .. binary "1",
      output = from_server("text", "") .. from_server("binary", "") .. TOO_BIG,
    },
  })
end)

describe("a frame's head", function()
  local bad = {}
  for rsv = 1, 7 do
    bad[#bad + 1] = broken("with reserved bits " .. rsv .. " is 1002", text("x", { rsv = rsv }), text "a",
      from_server("text", "a"))
    bad[#bad + 1] = broken("of a ping with reserved bits " .. rsv .. " is 1002", ping("", { rsv = rsv }))
    bad[#bad + 1] = broken("of a continuation with reserved bits " .. rsv .. " is 1002",
      text("a", { fin = false }) .. frame("continuation", "b", { rsv = rsv }))
    bad[#bad + 1] = broken("of a close with reserved bits " .. rsv .. " is 1002", close(1000, "x", { rsv = rsv }))
  end
  for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
    local name = "with the reserved opcode " .. opcode
    bad[#bad + 1] = broken(name .. " is 1002", frame(opcode, "x"), ping "p" .. text "a",
      from_server("pong", "p") .. from_server("text", "a"))
    bad[#bad + 1] = broken(name .. " and no payload is 1002", frame(opcode, ""))
    bad[#bad + 1] = broken(name .. " inside a message is 1002", text("a", { fin = false }) .. frame(opcode, "x"))
    bad[#bad + 1] = broken(name .. " in a fragment is 1002", frame(opcode, "x", { fin = false }))
  end
  for _, opcode in ipairs { "text", "binary", "ping", "pong", "close" } do
    bad[#bad + 1] = broken("of a " .. opcode .. " without a mask is 1002", frame(opcode, "", { mask = false }))
    bad[#bad + 1] = broken("of a " .. opcode .. " with payload and without a mask is 1002",
      frame(opcode, "\x03\xe8payload", { mask = false }), binary "a", from_server("binary", "a"))
  end
  bad[#bad + 1] = broken("of a long text without a mask is 1002", text(payload(70000), { mask = false }))
  bad[#bad + 1] = broken("of a continuation without a mask is 1002",
    text("a", { fin = false }) .. frame("continuation", "b", { mask = false }))
  cases.run(it, bad)

  cases.run(it, {
    {
      "has a mask of its own in every frame", open = true,
      input = text("abcdefgh", { mask = "\0\0\0\0" }) .. text("abcdefgh", { mask = "\xff\xff\xff\xff" })
        .. fragments("text", { "abc", "def" }) .. text("abcdefghi", { mask = "\1\2\3\4" }),
      output = from_server("text", "abcdefgh"):rep(2) .. from_server("text", "abcdef")
        .. from_server("text", "abcdefghi"),
    },
  })

  it("is refused as soon as it is complete, whatever it announces", function()
    local app = cases.app()
    for name, bytes in pairs {
      ["a reserved bit"] = text("", { rsv = 4, length = 500 }), ["no mask"] = text("", { mask = false, length = 500 }),
      ["a reserved opcode"] = frame(3, "", { length = 500 }),
      ["nothing to continue"] = frame("continuation", "", { length = 5 }),
    } do
      local client <close> = cases.open(app)
      assert.equal(PROTOCOL_ERROR, client:send(bytes), name)
    end
    local client <close> = cases.open(app)
    assert.equal(PROTOCOL_ERROR, client:send "\x89\x7e") -- a ping that is too long, before its length
  end)
end)

describe("a message in fragments", function()
  local many = {}
  for i = 1, 10000 do many[i] = string.char(i % 26 + 97) end
  local all = table.concat(many)
  local empty = {}
  for i = 1, 2000 do empty[i] = "" end

  cases.run(it, {
    { "is one message", open = true, input = fragments("text", { "one ", "two ", "three" }),
      output = from_server("text", "one two three"), events = { { "text", "one two three" } } },
    { "of one frame that is not final waits", open = true,
      input = text("a", { fin = false }), output = "", events = {} },
    { "keeps its kind", open = true, input = fragments("binary", { "\0\xff", "\xfe" }),
      output = from_server("binary", "\0\xff\xfe"), events = { { "binary", "\0\xff\xfe" } } },
    { "may have empty ones", open = true, input = fragments("text", { "", "a", "", "", "b", "" }),
      output = from_server("text", "ab") },
    { "may be empty altogether", open = true,
      input = fragments("text", { "", "", "" }) .. fragments("binary", { "", "" }),
      output = from_server("text", "") .. from_server("binary", "") },
    { "may have thousands of empty ones", open = true, input = fragments("text", empty) .. text "next",
      output = from_server("text", "") .. from_server("text", "next") },
    { "may have ten thousand of one byte", open = true, input = fragments("text", many),
      output = from_server("text", all) },
    { "may have long ones", open = true, input = fragments("binary", { payload(70000), payload(300), payload(70000) }),
      output = from_server("binary", payload(70000) .. payload(300) .. payload(70000)) },
    { "is followed by others", open = true,
      input = fragments("text", { "a", "b" }) .. text "c" .. fragments("binary", { "d", "e" }),
      output = from_server("text", "ab") .. from_server("text", "c") .. from_server("binary", "de") },
    broken("may not begin with a continuation", frame("continuation", "x")),
    broken("may not begin with a continuation that is not final", frame("continuation", "x", { fin = false })),
    broken("may not go on when it is complete", frame("continuation", "x"), text "a", from_server("text", "a")),
    broken("may not go on when its fragments are complete", frame("continuation", ""), fragments("text", { "a", "b" }),
      from_server("text", "ab")),
    broken("may not have another text inside", text "x", text("a", { fin = false })),
    broken("may not have another binary inside", binary("x", { fin = false }), text("a", { fin = false })),
    broken("may not have another text behind a ping inside", text "x", text("a", { fin = false }) .. ping "p",
      from_server("pong", "p")),
    broken("that began empty may not have another inside", text "x", text("", { fin = false })),
  })

  cases.run(it, {
    { "may have pings between, which are answered in order and before it", open = true,
      input = text("a", { fin = false }) .. ping "1" .. frame("continuation", "b", { fin = false })
        .. ping "2" .. ping "" .. frame("continuation", "c"),
      output = from_server("pong", "1") .. from_server("pong", "2") .. from_server("pong", "")
        .. from_server("text", "abc") },
    { "may have a ping of 125 bytes between", open = true,
      input = fragments("binary", { "a", "b", "c" }, ping(payload(125))),
      output = from_server("pong", payload(125)):rep(2) .. from_server("binary", "abc") },
    { "may have pongs between", open = true, input = fragments("text", { "a", "b" }, pong "x"),
      output = from_server("text", "ab") },
    { "is given up for a close inside", input = text("a", { fin = false }) .. close(1000) .. frame("continuation", "b"),
      output = closed(1000), events = { { "close", 1000, "" } } },
    { "keeps its UTF-8 over a ping between", open = true,
      input = fragments("text", { "\xe2", "\x82", "\xac" }, ping "\xff\xfe"),
      output = from_server("pong", "\xff\xfe"):rep(2) .. from_server("text", "€") },
  })

  it("takes no more memory than its bytes, however small they are cut", function()
    local app = cases.app(nil, { maxMessage = 10000000 })
    local client <close> = cases.open(app)
    client:send(text("x", { fin = false }))
    local piece = frame("continuation", "x", { fin = false }):rep(10000)
    client:send(piece)
    local before = memory.resident()
    for _ = 1, 29 do assert.equal("", client:send(piece)) end
    assert.is_true(not before or memory.resident() - before < 8000000)
    assert.is_true(from_server("text", ("x"):rep(300001)) == client:send(frame("continuation", "")))
  end)
end)

describe("a ping", function()
  local pings = {}
  for _, n in ipairs { 0, 1, 2, 50, 124, 125 } do
    pings[#pings + 1] = {
      "of " .. n .. " bytes is answered with them", open = true,
      input = ping(payload(n)), output = from_server("pong", payload(n)), events = {},
    }
  end
  cases.run(it, pings)

  local ten, answers = {}, {}
  for i = 1, 10 do ten[i], answers[i] = ping("ping " .. i), from_server("pong", "ping " .. i) end
  cases.run(it, {
    { "may carry any bytes", open = true, input = ping "\0\xff\xfe\xfd\xfc\xfb\0\xff", output = from_server("pong",
      "\0\xff\xfe\xfd\xfc\xfb\0\xff") },
    { "each is answered, in order", open = true, input = table.concat(ten), output = table.concat(answers) },
    { "is answered in its place among messages", open = true,
      input = text "a" .. ping "1" .. text "b" .. ping "2" .. binary "c",
      output = from_server("text", "a") .. from_server("pong", "1") .. from_server("text", "b")
        .. from_server("pong", "2")
        .. from_server("binary", "c") },
    broken("of 126 bytes is 1002", ping(payload(126))),
    broken("of 65536 bytes is 1002", ping(payload(65536))),
    broken("in fragments is 1002", ping("a", { fin = false }) .. frame("continuation", "b")),
    broken("in fragments inside a message is 1002", ping("a", { fin = false }), text("x", { fin = false })),
    { "behind a close is not answered", input = close(1000) .. ping "x", output = closed(1000) },
  })
end)

describe("a pong", function()
  cases.run(it, {
    { "that nobody asked for is ignored", open = true, input = pong "x" .. pong "" .. pong(payload(125)) .. text "a",
      output = from_server("text", "a"), events = { { "text", "a" } } },
    broken("of 126 bytes is 1002", pong(payload(126))),
    broken("in fragments is 1002", pong("a", { fin = false })),
  })
end)

describe("frames in one packet with the handshake", function()
  local early = text "one" .. ping "two" .. fragments("binary", { "th", "ree" }) .. close(1000, "four")
  local expected = from_server("text", "one") .. from_server("pong", "two") .. from_server("binary", "three")
    .. closed(1000)

  local function answer(app, pieces)
    local peer = require("sprylua.core").connect(app.core)
    local got = {}
    for i, piece in ipairs(pieces) do
      peer:feed(piece)
      got[i] = peer:take()
    end
    local head, rest = table.concat(got):match "^(.-\r\n\r\n)(.*)$"
    assert(head:find "^HTTP/1.1 101 ", head)
    assert.is_true(peer:closed())
    return rest
  end

  it("are a session's first, however the whole is cut", function()
    local app = cases.app()
    for _, delivery in ipairs(cases.deliveries(cases.handshake() .. early)) do
      assert.equal(cases.describe(expected), cases.describe(answer(app, delivery[2])), delivery[1])
    end
  end)

  it("wait for a handler that takes its time", function()
    local parked
    local app = cases.app(nil, nil, function(event, upgrade)
      parked = coroutine.running()
      coroutine.yield()
      return upgrade(event)
    end)
    local peer = require("sprylua.core").connect(app.core)
    peer:feed(cases.handshake() .. early)
    assert.equal("", peer:take())
    coroutine.resume(parked)
    app.core:settle()
    local head, rest = peer:take():match "^(.-\r\n\r\n)(.*)$"
    assert.matches("^HTTP/1.1 101 ", head)
    assert.equal(cases.describe(expected), cases.describe(rest))
  end)

  it("that break the protocol are answered behind the 101", function()
    local app = cases.app()
    for _, delivery in ipairs(cases.deliveries(cases.handshake() .. text("x", { rsv = 1 }))) do
      assert.equal(PROTOCOL_ERROR, answer(app, delivery[2]), delivery[1])
    end
  end)

  it("may be many", function()
    local app = cases.app()
    local bytes, replies = {}, {}
    for i = 1, 2000 do bytes[i], replies[i] = text(payload(i % 200)), from_server("text", payload(i % 200)) end
    assert.equal(table.concat(replies) .. closed(1001),
      answer(app, { cases.handshake() .. table.concat(bytes) .. close(1001) }))
  end)
end)
