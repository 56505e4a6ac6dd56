local frames = require "sprylua.testing.frames"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local testing = require "sprylua.testing"

describe("messages of a session", function()
  it("come and go, text as text and bytes as bytes", function()
    local app <close> = sessions.app(sessions.echo())
    local ws = app:ws "/ws"
    for _, text in ipairs { "hi", "", "ünïcödé ✓ 😀", ("long "):rep(20000) } do
      ws:sendText(text)
      assert.same({ text, "text" }, { ws:receive() })
    end
    for _, bytes in ipairs { "", "\0\1\2\255", ("\xff\0"):rep(40000) } do
      ws:sendBinary(bytes)
      assert.same({ bytes, "binary" }, { ws:receive() })
    end
  end)

  it("keep their order in a burst", function()
    local app <close> = sessions.app(sessions.echo())
    local ws = app:ws "/ws"
    local burst = {}
    for i = 1, 200 do burst[i] = frames.encode { opcode = "text", payload = "message " .. i } end
    ws:send(table.concat(burst))
    for i = 1, 200 do assert.equal("message " .. i, ws:receive()) end
  end)

  it("can be split anywhere", function()
    local app <close> = sessions.app(sessions.echo())
    local ws = app:ws "/ws"
    local bytes = frames.encode { opcode = "text", payload = "first" }
      .. frames.encode { opcode = "ping", payload = "p" }
      .. frames.encode { opcode = "binary", payload = ("z"):rep(300) }
    for i = 1, #bytes do ws:send(bytes:sub(i, i)) end
    assert.equal("first", ws:receive())
    assert.equal(("z"):rep(300), ws:receive())
    assert.same({ "p" }, ws.pongs)
  end)

  it("may come in fragments, with a ping between them", function()
    local seen = {}
    local app <close> = sessions.app(sessions.echo(seen))
    local ws = app:ws "/ws"
    ws:sendFrame { opcode = "text", payload = "one ", fin = false }
    ws:sendFrame { opcode = "ping", payload = "between" }
    ws:sendFrame { opcode = "continuation", payload = "two ", fin = false }
    ws:sendFrame { opcode = "continuation", payload = "three" }
    assert.equal("one two three", ws:receive())
    assert.same({ "between" }, ws.pongs)
    assert.same({ { "text", "one two three" } }, seen)
  end)

  it("may be JSON", function()
    local app <close> = sessions.app(function(ws)
      for kind, data in ws.events do
        if kind == "text" then ws:sendJson { got = spry.json.decode(data), list = spry.json.array {} } end
      end
    end)
    local ws = app:ws "/ws"
    ws:sendJson { n = 9007199254740993 }
    assert.same({ got = { n = 9007199254740993 }, list = {} }, ws:receiveJson())
  end)

  it("can be sent with the handshake, before it is answered", function()
    local app <close> = sessions.app(sessions.echo())
    local early = frames.encode { opcode = "text", payload = "early" }
      .. frames.encode { opcode = "ping", payload = "x" }
    local ws = app:ws("/ws", { early = early })
    assert.equal("early", ws:receive())
    assert.same({ "x" }, ws.pongs)
  end)

  it("sent by the session come behind the 101, in one go", function()
    local app <close> = sessions.app(function(ws)
      ws:sendText "a"
      ws:sendText "b"
    end)
    local connection = app:connect()
    connection.peer:feed(testing.handshake "/ws")
    local bytes = connection.peer:take()
    assert.matches("^HTTP/1.1 101 ", bytes)
    local rest = bytes:match "\r\n\r\n(.*)$"
    local first, at = frames.decode(rest)
    local second, after = frames.decode(rest, at)
    local close = frames.decode(rest, after)
    assert.same({ "a", "b", "close" }, { first.payload, second.payload, close.name })
  end)

  it("are refused when they are no strings", function()
    local problems = {}
    local app <close> = sessions.app(function(ws)
      for _, bad in ipairs { {}, true, print } do
        local ok, message = pcall(ws.sendText, ws, bad)
        problems[#problems + 1] = { ok, message }
      end
      local ok, message = pcall(ws.sendText, ws, "\xff\xfe")
      problems[#problems + 1] = { ok, message }
    end)
    assert(app:ws "/ws")
    assert.equal(4, #problems)
    for _, problem in ipairs(problems) do
      assert.is_false(problem[1])
      assert.is_string(problem[2])
    end
  end)
end)

describe("the fake session", function()
  it("says what did arrive when nothing more does", function()
    local app <close> = sessions.app(function(ws)
      ws:sendText "only this"
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    ws:receive()
    local ok, message = pcall(ws.receive, ws)
    assert.is_false(ok)
    assert.matches('no message came within a second.*text "only this"', message)
    assert.same({ nil, "timeout" }, { ws:receive(0) })
    local before = app.clock.now()
    assert.same({ nil, "timeout" }, { ws:receive(30) })
    assert.is_true(math.abs(app.clock.now() - before - 30) < 0.001)
  end)
end)
