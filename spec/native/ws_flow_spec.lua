-- Bounds: a session that does not read, a peer that does not. Nothing is lost, nothing grows without end.

local cases = require "spec.support.ws_cases"
local frames = require "sprylua.testing.frames"

local text, binary, ping, close = cases.text, cases.binary, cases.ping, cases.close
local from_server, closed = cases.from_server, cases.closed

local KIB = 1024

-- A session that is busy until `go` is called; then it runs `session`.
local function parked(session, options)
  local app = cases.app(function(ws, seen)
    seen.thread = coroutine.running()
    coroutine.yield()
    return (session or cases.echo)(ws, seen)
  end, options)
  return app, function(client)
    assert(coroutine.resume(client.seen.thread))
    app.core:settle()
  end
end

-- Sends the frame until a ping behind it is not answered any more, which shows that the server has stopped reading.
-- Returns how many that took.
local function fill(client, bytes, most)
  for i = 1, most do
    client:send(bytes)
    if client:send(ping "still there?") == "" then return i end
  end
  error("the server reads on and on")
end

describe("a session that does not read", function()
  it("has its pings answered", function()
    local app, go = parked()
    local client <close> = cases.open(app)
    assert.equal(from_server("pong", "1"), client:send(text "a" .. ping "1"))
    assert.equal(from_server("pong", "2"), client:send(ping "2" .. text "b"))
    go(client)
    assert.equal(from_server("text", "a") .. from_server("text", "b"), client:take())
  end)

  it("stops the reading of the socket, and goes on where it was", function()
    for _, size in ipairs { 0, 1, 100, 10 * KIB, 100 * KIB } do
      local app, go = parked()
      local client <close> = cases.open(app)
      local message = binary(("x"):rep(size))
      local n = fill(client, message, 5000)
      assert.is_true(n * size <= 64 * KIB + math.max(size, 64))
      for i = 1, 100 do client:send(text(tostring(i))) end
      assert.equal("", client:take())
      go(client)
      local got = client:frames()
      for i = 1, n do assert.equal(size, #got[i].payload) end
      assert.equal("pong", got[n + 1].name)
      for i = 1, 100 do assert.equal(tostring(i), got[n + 1 + i].payload) end
      assert.equal(n + 101, #got)
      assert.equal(from_server("pong", "x"), client:send(ping "x"))
    end
  end)

  it("keeps what came in one packet in order", function()
    local app, go = parked()
    local client <close> = cases.open(app)
    local packet, answers = {}, {}
    for i = 1, 20000 do packet[i], answers[i] = text(i .. "!"), from_server("text", i .. "!") end
    client:send(table.concat(packet) .. close(1000))
    go(client)
    assert.equal(table.concat(answers) .. closed(1000), client:take())
  end)

  it("is not taken for a dead peer's", function()
    local app, go = parked()
    local client <close> = cases.open(app)
    local n = fill(client, binary(("x"):rep(10 * KIB)), 100)
    app.core:advance(1000)
    assert.is_false(client.peer:closed())
    go(client)
    local binaries = 0
    for _, frame in ipairs(client:frames()) do binaries = binaries + (frame.name == "binary" and 1 or 0) end
    assert.equal(n, binaries)
    app.core:advance(59)
    client:send(frames.encode { opcode = "pong" })
    app.core:advance(59)
    assert.is_false(client.peer:closed())
    assert.equal("binary", client.seen[1][1])
  end)

  it("may read a little, and stop again", function()
    local total = 0
    local app = cases.app(function(ws, seen)
      while true do
        seen.thread = coroutine.running()
        coroutine.yield()
        for _ = 1, 3 do
          local kind = ws:receive()
          if kind == "close" then return end
          total = total + 1
        end
      end
    end)
    local client <close> = cases.open(app)
    for _ = 1, 50 do client:send(binary(("x"):rep(20 * KIB))) end
    for i = 1, 16 do
      coroutine.resume(client.seen.thread)
      app.core:settle()
      assert.equal(3 * i, total)
    end
    client:send(close(1000))
    for _ = 1, 2 do
      coroutine.resume(client.seen.thread)
      app.core:settle()
    end
    assert.equal(closed(1000), client:take():sub(-4))
  end)
end)

describe("a client that does not read", function()
  it("is not read either while its echoes wait, and loses none of them", function()
    for _, size in ipairs { 10, 1000, 20 * KIB, 300 * KIB } do
      local app = cases.app()
      local client <close> = cases.open(app)
      local n, most = 3000000 // (size + 10), 0
      if n > 5000 then n = 5000 end
      client.peer:stall(true)
      for i = 1, n do
        client:send(binary(("%08d"):format(i) .. ("x"):rep(size)))
        most = math.max(most, client.seen.ws.bufferedAmount)
      end
      assert.is_true(most <= 128 * KIB + 2 * size, most)
      client.peer:stall(false)
      client:take() -- what came while it was stalled has been thrown away by send
      client:send(binary "last")
      assert.equal(n + 1, #client.seen)
      for i = 1, n do assert.equal(("%08d"):format(i), client.seen[i][2]:sub(1, 8)) end
      assert.is_false(client.peer:closed())
    end
  end)

  it("gets every byte once it reads", function()
    local app = cases.app()
    local client <close> = cases.open(app)
    client.peer:stall(true)
    local sent, expected = {}, {}
    for i = 1, 300 do
      sent[i] = binary(("%08d"):format(i) .. ("x"):rep(5000))
      expected[i] = from_server("binary", ("%08d"):format(i) .. ("x"):rep(5000))
      client.peer:feed(sent[i])
    end
    client.peer:stall(false)
    assert.is_true(table.concat(expected) == client:take())
  end)

  it("may send ten of the largest messages before it reads the first", function()
    local app = cases.app()
    local client <close> = cases.open(app)
    client.peer:stall(true)
    local message = binary(("x"):rep(1024 * KIB), { mask = "\0\0\0\0" })
    for _ = 1, 10 do client.peer:feed(message) end
    client.peer:stall(false)
    local got = client:frames()
    assert.equal(10, #got)
    for _, frame in ipairs(got) do assert.equal(1024 * KIB, #frame.payload) end
  end)

  it("can't make the server hold a flood of pongs", function()
    local app = cases.app(function(ws) ws.events:drain() end)
    local client <close> = cases.open(app)
    client.peer:stall(true)
    local flood = ping(("p"):rep(125)):rep(1000)
    local bytes = 0
    for _ = 1, 50 do
      bytes = bytes + #client:send(flood)
      assert.is_true(client.seen.ws.bufferedAmount <= 128 * KIB)
    end
    client.peer:stall(false)
    bytes = bytes + #client:take()
    assert.equal(50 * 1000 * 127, bytes)
  end)

  it("is lost when it takes nothing for deadAfter", function()
    local app = cases.app(nil, { deadAfter = 60, pingInterval = 25 })
    local client <close> = cases.open(app)
    client.peer:stall(true)
    for _ = 1, 100 do client:send(binary(("x"):rep(5000))) end
    app.core:advance(59)
    assert.is_false(client.peer:closed())
    app.core:advance(2)
    assert.is_true(client.peer:closed())
    assert.equal(1006, client.seen[#client.seen][2])
  end)

  it("is closed with 1013 when more is sent to it than maxBuffered", function()
    local results = {}
    local app = cases.app(function(ws, seen)
      ws:receive()
      for i = 1, 100 do results[i] = { ws:sendBinary(("x"):rep(1000)) } end
      results.ping = { ws:ping() }
      cases.echo(ws, seen)
    end, { maxBuffered = 20000 })
    local client <close> = cases.open(app)
    client.peer:stall(true)
    local got = client:send(text "go")
    assert.is_true(#got > 20000 and #got < 22500, #got)
    assert.equal(closed(1013, "too slow"), got:sub(-#closed(1013, "too slow")))
    assert.same({ true }, results[1])
    assert.same({ nil, "closed" }, results[100])
    assert.same({ nil, "closed" }, results.ping)
    app.core:advance(6) -- it is given the time of a close, not more
    assert.is_true(client.peer:closed())
    assert.equal(1006, client.seen[1][2])
  end)

  it("loses messages instead with onSlow = \"drop\"", function()
    local results = {}
    local app = cases.app(function(ws, seen)
      ws:receive()
      for i = 1, 100 do results[i] = ws:sendText(("%03d"):format(i) .. ("x"):rep(1000)) end
      results.ping = ws:ping()
      ws:flush()
      ws:sendText "and on"
      cases.echo(ws, seen)
    end, { maxBuffered = 20000, onSlow = "drop" })
    local client <close> = cases.open(app)
    client.peer:stall(true)
    client.peer:feed(text "go")
    assert.is_true(results[1])
    assert.is_false(results[100])
    assert.is_false(results.ping)
    client.peer:stall(false)
    local got = client:frames()
    for i = 1, #got - 1 do assert.equal(("%03d"):format(i), got[i].payload:sub(1, 3)) end
    assert.equal("and on", got[#got].payload)
    assert.is_true(#got >= 20 and #got <= 23, #got)
    assert.is_false(client.peer:closed())
  end)

  it("makes flush wait, and is told the truth by bufferedAmount", function()
    local results = {}
    local app = cases.app(function(ws, seen)
      ws:receive()
      for i = 1, 4 do results[i] = ws:sendBinary(("x"):rep(30 * KIB)) end
      results.before = ws.bufferedAmount
      results.flushed = { ws:flush() }
      results.after = ws.bufferedAmount
      cases.echo(ws, seen)
    end)
    local client <close> = cases.open(app)
    client.peer:stall(true)
    client.peer:feed(text "go")
    assert.same({ true, true, false, false }, { table.unpack(results, 1, 4) })
    assert.equal(4 * (30 * KIB + 4), results.before)
    assert.is_nil(results.flushed)
    client.peer:stall(false)
    assert.same({ true }, results.flushed)
    assert.equal(0, results.after)
  end)

  it("and hangs up wakes whoever waits for it", function()
    local flushed
    local app = cases.app(function(ws)
      ws:receive()
      ws:sendBinary(("x"):rep(200 * KIB))
      flushed = { ws:flush() }
    end)
    local client <close> = cases.open(app)
    client.peer:stall(true)
    client:send(text "go")
    assert.is_nil(flushed)
    client:hangup()
    assert.same({ nil, "closed" }, flushed)
  end)
end)
