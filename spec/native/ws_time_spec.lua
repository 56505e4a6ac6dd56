-- What time does to a session: pings, peers that are silent, and receive with a timeout.

local cases = require "spec.support.ws_cases"

local text, pong, close = cases.text, cases.pong, cases.close
local from_server = cases.from_server

local PING = from_server("ping", "")

describe("a silent client", function()
  it("is pinged every pingInterval", function()
    local client <close> = cases.open(cases.app(nil, { pingInterval = 10, deadAfter = 100 }))
    local core = client.app.core
    core:advance(9.9)
    assert.equal("", client:take())
    core:advance(0.2)
    assert.equal(PING, client:take())
    core:advance(9.8)
    assert.equal("", client:take())
    core:advance(0.2)
    assert.equal(PING, client:take())
  end)

  it("is not pinged while it says something", function()
    local client <close> = cases.open(cases.app(nil, { pingInterval = 10, deadAfter = 30 }))
    for _ = 1, 10 do
      client.app.core:advance(9)
      assert.equal(from_server("text", "a"), client:send(text "a"))
    end
  end)

  it("is lost after deadAfter, half of it without a pong", function()
    local client <close> = cases.open(cases.app(nil, { pingInterval = 10, deadAfter = 30 }))
    local core = client.app.core
    for _ = 1, 29 do core:advance(1) end
    assert.is_false(client.peer:closed())
    core:advance(1.1)
    assert.is_true(client.peer:closed())
    assert.equal(PING .. PING, client:take())
    assert.same({ { "close", 1006, "" } }, { table.unpack(client.seen) })
  end)

  it("lives as long as it answers pings, whatever the session does", function()
    local thread
    local app = cases.app(function(ws, seen)
      thread = coroutine.running()
      coroutine.yield()
      cases.echo(ws, seen)
    end, { pingInterval = 10, deadAfter = 30 })
    local client <close> = cases.open(app)
    for _ = 1, 20 do
      app.core:advance(10)
      assert.equal(PING, client:take())
      client:send(pong "")
    end
    assert.is_false(client.peer:closed())
    coroutine.resume(thread)
    assert.equal(from_server("text", "a"), client:send(text "a"))
  end)

  it("that sends bytes of a long message is not silent", function()
    local client <close> = cases.open(cases.app(nil, { pingInterval = 10, deadAfter = 30 }))
    local bytes = text(("x"):rep(20))
    for i = 1, #bytes - 1 do
      client.app.core:advance(8)
      assert.equal("", client:send(bytes:sub(i, i)))
    end
    assert.equal(from_server("text", ("x"):rep(20)), client:send(bytes:sub(-1)))
  end)

  it("is not pinged once a Close is on its way", function()
    local client <close> = cases.open(cases.app(function(ws, seen)
      ws:receive()
      ws:close(1000)
      cases.echo(ws, seen)
    end, { pingInterval = 1, deadAfter = 30 }))
    assert.equal(cases.closed(1000), client:send(text "go"))
    client.app.core:advance(4)
    assert.equal("", client:take())
    client:send(close(1000))
    assert.is_true(client.peer:closed())
  end)
end)

describe("ws:ping", function()
  it("sends up to 125 bytes", function()
    local problem
    local client <close> = cases.open(cases.app(function(ws, seen)
      ws:ping()
      ws:ping(("p"):rep(125))
      problem = select(2, pcall(ws.ping, ws, ("p"):rep(126)))
      cases.echo(ws, seen)
    end))
    assert.equal(PING .. from_server("ping", ("p"):rep(125)), client:take())
    assert.matches("125 bytes", problem)
  end)
end)

describe("ws:receive with a timeout", function()
  -- Calls receive with each of the timeouts in turn; what it returned is in `got`.
  local function receiving(...)
    local timeouts, got = { ... }, {}
    return cases.app(function(ws)
      for i, timeout in ipairs(timeouts) do got[i] = { ws:receive(timeout) } end
    end), got
  end

  it("gives up when it is over, and can be called again", function()
    local app, got = receiving(5, 2, 5, 5)
    local client <close> = cases.open(app)
    app.core:advance(4.9)
    assert.equal(0, #got)
    app.core:advance(0.2)
    assert.same({ { nil, "timeout" } }, got)
    app.core:advance(2.1)
    assert.same({ { nil, "timeout" }, { nil, "timeout" } }, got)
    client:send(text "in time")
    assert.same({ "text", "in time" }, got[3])
    client:send(close(1000))
    assert.same({ "close", 1000, "" }, got[4])
  end)

  it("of zero only looks", function()
    local app, got = receiving(0, 5, 0, 0, 0)
    local client <close> = cases.open(app)
    assert.same({ nil, "timeout" }, got[1])
    client:send(text "a" .. text "b")
    assert.same({ { "text", "a" }, { "text", "b" } }, { got[2], got[3] })
    assert.same({ { nil, "timeout" }, { nil, "timeout" } }, { got[4], got[5] })
  end)

  it("is not ended by a stray resume, nor by an older timeout", function()
    local thread
    local got = {}
    local app = cases.app(function(ws)
      thread = coroutine.running()
      got[1] = { ws:receive(5) }
      got[2] = { ws:receive(60) }
    end)
    local client <close> = cases.open(app)
    coroutine.resume(thread)
    assert.equal(0, #got)
    app.core:advance(1)
    client:send(text "a")
    assert.same({ "text", "a" }, got[1])
    app.core:advance(10)
    coroutine.resume(thread)
    assert.is_nil(got[2])
    app.core:advance(49.9)
    assert.is_nil(got[2])
    client:send(pong "")
    app.core:advance(0.2)
    assert.same({ nil, "timeout" }, got[2])
  end)

  it("ends with the connection", function()
    local app, got = receiving(5)
    local client <close> = cases.open(app)
    client:hangup()
    assert.same({ "close", 1006, "" }, got[1])
  end)

  it("leaves a second reader out", function()
    local problem, got, thread
    local app = cases.app(function(ws)
      local other = coroutine.wrap(function() got = { ws:receive(5) } end)
      other()
      problem = select(2, pcall(ws.receive, ws, 1))
      thread = coroutine.running()
      coroutine.yield()
    end)
    local client <close> = cases.open(app)
    assert.matches("waiting", problem)
    app.core:advance(2)
    assert.is_nil(got)
    app.core:advance(3.1)
    assert.same({ nil, "timeout" }, got)
    coroutine.resume(thread)
    app.core:settle()
    assert.equal(cases.closed(1000), client:take())
  end)
end)
