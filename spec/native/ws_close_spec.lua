-- The closing handshake: RFC 6455 sections 5.5.1 and 7.

local cases = require "spec.support.ws_cases"

local text, binary, ping, frame, close = cases.text, cases.binary, cases.ping, cases.frame, cases.close
local from_server, closed = cases.from_server, cases.closed

local PROTOCOL_ERROR = closed(1002)

describe("a Close of the client", function()
  local codes = {}
  for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
    4999 } do
    codes[#codes + 1] = {
      "with " .. code .. " is echoed", input = close(code, "bye"), output = closed(code),
      events = { { "close", code, "bye" } },
    }
  end
  for _, code in ipairs { 0, 1, 100, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 32768, 65535 } do
    codes[#codes + 1] = {
      "with " .. code .. " is 1002", input = text "a" .. close(code), output = from_server("text", "a")
        .. PROTOCOL_ERROR,
      events = { { "text", "a" }, { "close", 1002, "a Close has a code that must not be sent" } },
    }
  end
  cases.run(it, codes)

  cases.run(it, {
    { "without a code is answered without one", input = close(), output = closed(), events = { { "close", 1005,
      "" } } },
    { "of one byte is 1002", input = frame("close", "\x03"), output = PROTOCOL_ERROR },
    { "without a reason", input = close(1000), output = closed(1000), events = { { "close", 1000, "" } } },
    { "with a reason of 123 bytes", input = close(4000, ("r"):rep(123)), output = closed(4000),
      events = { { "close", 4000, ("r"):rep(123) } } },
    { "with a reason of 124 bytes is 1002", input = close(4000, ("r"):rep(124)), output = PROTOCOL_ERROR },
    { "with a long reason is 1002", input = close(1000, ("r"):rep(70000)), output = PROTOCOL_ERROR },
    { "in fragments is 1002", input = close(1000, "", { fin = false }), output = PROTOCOL_ERROR },
    { "behind messages comes after their answers", input = text "a" .. binary "b" .. ping "c" .. close(1001),
      output = from_server("text", "a") .. from_server("binary", "b") .. from_server("pong", "c") .. closed(1001),
      events = { { "text", "a" }, { "binary", "b" }, { "close", 1001, "" } } },
    { "is the last that counts", input = close(1000) .. text "late" .. ping "late" .. close(4000) .. frame(3, "bad"),
      output = closed(1000), events = { { "close", 1000, "" } } },
    { "twice is answered once", input = close(1000) .. close(1000), output = closed(1000) },
  })

  it("twice, in two packets, is answered once", function()
    local client <close> = cases.open(cases.app())
    assert.equal(closed(1000), client:send(close(1000)))
    assert.equal("", client:send(close(1001)))
    assert.equal("", client:send(text "late"))
    assert.same({ { "close", 1000, "" } }, { table.unpack(client.seen) })
  end)

  it("is answered when its sender ends its side at once", function()
    local thread
    local app = cases.app(function(ws, seen)
      thread = coroutine.running()
      coroutine.yield() -- busy with something
      cases.echo(ws, seen)
    end)
    for _, input in ipairs { close(1000), text "a" .. close(1000) } do
      local client <close> = cases.open(app)
      client:send(input)
      client.peer:finish()
      assert.equal("", client:take())
      app.core:advance(1.01)
      assert.equal(closed(1000), client:take())
      assert.is_true(client.peer:closed())
      coroutine.resume(thread)
    end
  end)

  it("waits for a session that owes an answer, for a second", function()
    local thread
    local app = cases.app(function(ws, seen)
      ws:receive()
      thread = coroutine.running()
      coroutine.yield()
      ws:sendText "answer"
      cases.echo(ws, seen)
    end)
    local client <close> = cases.open(app)
    assert.equal("", client:send(text "question" .. close(1000)))
    app.core:advance(0.9)
    assert.equal("", client:take())
    coroutine.resume(thread)
    app.core:settle()
    assert.equal(from_server("text", "answer") .. closed(1000), client:take())

    local late <close> = cases.open(app)
    assert.equal("", late:send(text "question" .. close(1000)))
    app.core:advance(1.01)
    assert.equal(closed(1000), late:take())
    assert.is_true(late.peer:closed())
    coroutine.resume(thread) -- it is told, and finds the end
    app.core:settle()
    assert.equal("", late:take())
    assert.same({ { "close", 1000, "" } }, { table.unpack(late.seen) })
  end)

  it("is answered when the session has returned already", function()
    local client <close> = cases.open(cases.app(function() end))
    assert.equal(closed(1000), client:take())
    assert.is_false(client.peer:closed())
    assert.equal("", client:send(text "crossing" .. close(4000)))
    assert.is_true(client.peer:closed())
  end)

  it("is seen once: after it, receive raises and the events end", function()
    local problem
    local client <close> = cases.open(cases.app(function(ws)
      ws.events:drain()
      for _ in ws.events do error "there is nothing more" end
      problem = select(2, pcall(ws.receive, ws))
    end))
    client:send(close(1000))
    assert.matches("after the close event", problem)
    assert.equal(0, #client.app.errors)
  end)
end)

describe("a Close of the server", function()
  local function closing(code, reason)
    return cases.app(function(ws, seen)
      ws:receive()
      seen.first = { ws:close(code, reason) }
      seen.second = { ws:close(4444) }
      seen.send = { ws:sendText "too late" }
      seen.ping = { ws:ping() }
      seen.closed = ws.closed
      cases.echo(ws, seen)
      seen.code, seen.reason = ws.closeCode, ws.closeReason
    end)
  end

  it("is followed by nothing, and waits for the client's", function()
    local client <close> = cases.open(closing(4001, "enough"))
    assert.equal(closed(4001, "enough"), client:send(text "go"))
    local seen = client.seen
    assert.same({ true }, seen.first)
    assert.same({ nil, "closed" }, seen.second)
    assert.same({ nil, "closed" }, seen.send)
    assert.same({ nil, "closed" }, seen.ping)
    assert.is_true(seen.closed)
    assert.is_false(client.peer:closed())
    assert.equal("", client:send(text "crossing" .. ping "crossing"))
    assert.equal("", client:send(close(4001)))
    assert.is_true(client.peer:closed())
    assert.same({ { "text", "crossing" }, { "close", 4001, "" } }, { table.unpack(seen) })
    assert.equal(4001, seen.code)
    assert.equal("", seen.reason)
  end)

  it("crosses with the client's: each is sent once", function()
    local client <close> = cases.open(closing(1000))
    assert.equal(closed(1000), client:send(text "go" .. close(3333)))
    assert.is_true(client.peer:closed())
    assert.equal(3333, client.seen.code)
  end)

  it("that is not answered ends after five seconds, as a lost peer", function()
    local client <close> = cases.open(closing(1000))
    client:send(text "go")
    client.app.core:advance(4.9)
    assert.is_false(client.peer:closed())
    client:send(text "not an answer")
    client.app.core:advance(0.2)
    assert.is_true(client.peer:closed())
    assert.same({ "close", 1006, "" }, client.seen[2])
  end)

  it("that is answered by a violation ends with that", function()
    local client <close> = cases.open(closing(1000))
    client:send(text "go")
    assert.equal("", client:send(frame(3, "")))
    assert.is_true(client.peer:closed())
    assert.equal(1002, client.seen[1][2])
  end)

  it("that is answered by the end of the connection is 1006", function()
    local client <close> = cases.open(closing(1000))
    client:send(text "go")
    client.peer:finish()
    assert.is_true(client.peer:closed())
    assert.equal(1006, client.seen[1][2])
  end)

  it("gets time for what is still on its way to the client", function()
    local app = cases.app(function(ws)
      ws:receive()
      for _ = 1, 5 do ws:sendBinary(("x"):rep(100000)) end
    end)
    local client <close> = cases.open(app)
    client.peer:stall(true)
    client:send(text "go")
    app.core:advance(30)
    assert.is_false(client.peer:closed())
    client.peer:stall(false)
    app.core:advance(4.9)
    assert.is_false(client.peer:closed())
    client:send(close(1000))
    assert.is_true(client.peer:closed())

    local stuck <close> = cases.open(app)
    stuck.peer:stall(true)
    stuck:send(text "go")
    app.core:advance(61)
    assert.is_true(stuck.peer:closed())
  end)

  it("may be any that may be sent, and no other", function()
    local results = {}
    local app = cases.app(function(ws)
      for _, code in ipairs { 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 0, -1, 65536 + 1000, "x", 1000.5 } do
        results[#results + 1] = pcall(ws.close, ws, code)
      end
      results[#results + 1] = pcall(ws.close, ws, 1000, ("r"):rep(124))
      ws:close(1000, ("r"):rep(123))
    end)
    local client <close> = cases.open(app)
    assert.equal(closed(1000, ("r"):rep(123)), client:take())
    for _, ok in ipairs(results) do assert.is_false(ok) end
    for _, code in ipairs { 1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4999 } do
      local other <close> = cases.open(cases.app(function(ws) ws:close(code) end))
      assert.equal(closed(code), other:take())
    end
  end)

  it("is 1000 when the session returns, 1011 when it raises", function()
    local returned <close> = cases.open(cases.app(function(ws) ws:receive() end))
    assert.equal(closed(1000), returned:send(text "go"))
    local app = cases.app(function(ws)
      ws:receive()
      error "oops"
    end)
    local raised <close> = cases.open(app)
    assert.equal(closed(1011), raised:send(text "go"))
    assert.matches("oops", app.errors[1])
  end)

  it("is 1001 when the app stops, also for a session that begins only then", function()
    local client <close> = cases.open(cases.app())
    client.app.core:stop()
    assert.equal(closed(1001), client:take())
    client:send(close(1001))
    assert.is_true(client.peer:closed())

    local parked
    local app = cases.app(nil, nil, function(event, upgrade)
      parked = coroutine.running()
      coroutine.yield()
      return upgrade(event)
    end)
    local peer = require("sprylua.core").connect(app.core)
    peer:feed(cases.handshake())
    app.core:stop()
    coroutine.resume(parked)
    app.core:settle()
    assert.equal(closed(1001), peer:take():match "\r\n\r\n(.*)$")
    peer:feed(close(1001))
    assert.is_true(peer:closed())
  end)
end)

describe("a violation", function()
  it("comes to the session behind the messages before it, and then to the client", function()
    local thread
    local app = cases.app(function(ws, seen)
      thread = coroutine.running()
      coroutine.yield()
      cases.echo(ws, seen)
    end)
    local client <close> = cases.open(app)
    assert.equal("", client:send(text "a" .. text "b" .. frame(3, "")))
    coroutine.resume(thread)
    app.core:settle()
    assert.equal(from_server("text", "a") .. from_server("text", "b") .. PROTOCOL_ERROR, client:take())
    assert.same({ "close", 1002, "a frame has a reserved opcode" }, client.seen[3])
    assert.is_true(client.peer:closed())
  end)

  it("is answered after a second when the session does not look", function()
    local thread
    local app = cases.app(function()
      thread = coroutine.running()
      coroutine.yield()
    end)
    local client <close> = cases.open(app)
    assert.equal("", client:send(frame(3, "")))
    app.core:advance(1.01)
    assert.equal(PROTOCOL_ERROR, client:take())
    assert.is_true(client.peer:closed())
    coroutine.resume(thread)
  end)

  it("by a client that stays is ended by the server", function()
    local client <close> = cases.open(cases.app())
    assert.equal(PROTOCOL_ERROR, client:send(frame(3, "")))
    assert.is_true(client.peer:closed())
    assert.equal("", client:send(text "still here"))
  end)
end)

describe("a lost connection", function()
  local input = text "whole" .. text("half of this")

  it("is 1006 for the session, wherever it broke", function()
    local app = cases.app()
    for _, how in ipairs { "hangup", "finish" } do
      for n = 0, #input do
        local client <close> = cases.open(app)
        client:send(input:sub(1, n))
        client.peer[how](client.peer)
        app.core:settle()
        local last = client.seen[#client.seen]
        assert.same({ "close", 1006, "" }, last, how .. " after " .. n)
        assert.equal(n >= #text "whole", client.seen[1][1] == "text")
        assert.is_true(client.peer:closed())
        assert.is_true(client.seen.ws.closed)
        assert.equal(1006, client.seen.ws.closeCode)
        assert.same({ nil, "closed" }, { client.seen.ws:sendText "x" })
      end
    end
  end)

  it("leaves the messages that came before to be read", function()
    local thread
    local app = cases.app(function(ws, seen)
      thread = coroutine.running()
      coroutine.yield()
      cases.echo(ws, seen)
    end)
    for _, how in ipairs { "hangup", "finish" } do
      local client <close> = cases.open(app)
      client:send(text "a" .. text "b")
      client.peer[how](client.peer)
      coroutine.resume(thread)
      app.core:settle()
      assert.same({ { "text", "a" }, { "text", "b" }, { "close", 1006, "" } }, { table.unpack(client.seen) })
    end
  end)

  it("after the handshakes of closing is no news", function()
    local client <close> = cases.open(cases.app())
    client:send(close(1000))
    client.peer:hangup()
    assert.same({ { "close", 1000, "" } }, { table.unpack(client.seen) })
  end)

  it("in the handshake starts no session that hangs", function()
    local parked
    local app = cases.app(nil, nil, function(event, upgrade)
      parked = coroutine.running()
      coroutine.yield()
      return upgrade(event)
    end)
    app.seen = {}
    local peer = require("sprylua.core").connect(app.core)
    peer:feed(cases.handshake())
    peer:hangup()
    coroutine.resume(parked)
    app.core:settle()
    assert.same({ { "close", 1006, "" } }, { table.unpack(app.seen) })
    assert.equal(0, app.core:stats().tasks)
  end)
end)
