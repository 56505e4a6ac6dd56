local frames = require "sprylua.testing.frames"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"

describe("ws:receive", function()
  it("is one step of the events", function()
    local got = {}
    local app <close> = sessions.app(function(ws)
      got[1] = { ws:receive() }
      got[2] = { ws:receive() }
      got[3] = { ws:receive() }
    end)
    local ws = app:ws "/ws"
    ws:sendText "a"
    ws:sendBinary "b"
    ws:close(4000, "c")
    assert.same({ { "text", "a" }, { "binary", "b" }, { "close", 4000, "c" } }, got)
  end)

  it("gives up after its timeout, and goes on after that", function()
    local got = {}
    local app <close> = sessions.app(function(ws)
      got[1] = { ws:receive(5) }
      got[2] = { ws:receive(0) }
      got[3] = { ws:receive(5) }
      ws:sendText "done"
    end)
    local ws = app:ws "/ws"
    app.clock:advance(4.9)
    assert.equal(0, #got)
    app.clock:advance(0.2)
    assert.same({ nil, "timeout" }, got[1])
    assert.same({ nil, "timeout" }, got[2])
    ws:sendText "in time"
    assert.same({ "text", "in time" }, got[3])
    assert.equal("done", ws:receive())
  end)

  it("has what came before the timeout of zero", function()
    local got
    local app <close> = sessions.app(function(ws)
      spry.sleep(1)
      got = { ws:receive(0) }
    end)
    local ws = app:ws "/ws"
    ws:sendText "queued"
    app.clock:advance(1)
    assert.same({ "text", "queued" }, got)
  end)

  it("has one reader at a time: a second one raises at once", function()
    local problem
    local app <close> = sessions.app(function(ws)
      spry.spawn(function()
        local ok, message = pcall(ws.receive, ws)
        problem = not ok and message
      end)
      -- The spawned reader waits now; this one is the second.
      local ok, message = pcall(ws.receive, ws)
      ws:sendText(ok and "both" or message)
    end)
    local ws = app:ws "/ws"
    assert.matches("waiting", ws:receive())
    assert.is_falsy(problem)
  end)

  it("may be called in another coroutine than the session's", function()
    local app <close> = sessions.app(function(ws)
      local task = spry.spawn(function()
        for kind, data in ws.events do
          if kind == "text" then ws:sendText("task: " .. data) end
        end
      end)
      repeat spry.sleep(1) until task.done
    end)
    local ws = app:ws "/ws"
    ws:sendText "hi"
    assert.equal("task: hi", ws:receive())
    ws:close()
    assert.equal(1000, ws.closeCode)
    app.clock:advance(2)
  end)

  it("raises outside a coroutine, with a sentence", function()
    local kept
    local app <close> = sessions.app(function(ws)
      kept = ws
      spry.sleep(100)
    end)
    app:ws "/ws"
    local message
    table.sort({ 1, 2 }, function()
      local _, problem = pcall(kept.receive, kept)
      message = problem
      return false
    end)
    assert.matches("coroutine", message)
  end)

  it("refuses a timeout that is none", function()
    local results = {}
    local app <close> = sessions.app(function(ws)
      for i, bad in ipairs { -1, "x", {} } do results[i] = pcall(ws.receive, ws, bad) end
    end)
    app:ws "/ws"
    assert.same({ false, false, false }, results)
  end)
end)

describe("a session that does not read", function()
  it("answers pings all the same, and finds its messages later", function()
    local app <close> = sessions.app(function(ws)
      spry.sleep(10)
      for kind, data in ws.events do
        if kind == "text" then ws:sendText("late: " .. data) end
      end
    end)
    local ws = app:ws "/ws"
    ws:sendText "a"
    ws:ping "are you there"
    assert.same({ "are you there" }, ws.pongs)
    app.clock:advance(11)
    assert.equal("late: a", ws:receive())
  end)

  it("stops the reading of the socket: its inbox is bounded", function()
    local waiting = true
    local count = 0
    local app <close> = sessions.app(function(ws)
      repeat spry.sleep(1) until not waiting
      for kind in ws.events do
        if kind == "binary" then count = count + 1 end
      end
    end, { maxMessage = 1 << 20 })
    local ws = app:ws "/ws"
    local frame = frames.encode { opcode = "binary", payload = ("x"):rep(100000) }
    for _ = 1, 100 do ws:send(frame) end
    waiting = false
    app.clock:advance(2)
    assert.equal(100, count)
    ws:close()
    assert.equal(1000, ws.closeCode)
  end)

  it("may ignore everything with drain", function()
    local ended
    local app <close> = sessions.app(function(ws)
      ws.events:drain()
      ended = true
    end)
    local ws = app:ws "/ws"
    ws:sendText "nobody hears this"
    ws:sendBinary "nor this"
    assert.is_nil(ended)
    ws:close()
    assert.is_true(ended)
  end)

  it("ends when its client is gone, however long it meant to sleep", function()
    local finished, closed
    local app <close> = sessions.app(function()
      local _ <close> = spry.defer(function() closed = true end)
      spry.sleep(50)
      finished = true
    end)
    local ws = app:ws "/ws"
    ws:hangup()
    app.clock:advance(11)
    assert.is_nil(finished)
    assert.is_true(closed)
    assert.equal(0, app.core:stats().tasks)
  end)
end)

describe("keeping a session alive", function()
  it("pings a silent client, and keeps one that answers", function()
    local app <close> = sessions.app(sessions.echo(), { pingInterval = 25, deadAfter = 60 })
    local ws = app:ws "/ws"
    app.clock:advance(200)
    assert.is_true(#ws.pings >= 7)
    ws:sendText "alive"
    assert.equal("alive", ws:receive())
  end)

  it("takes a client for lost that does not answer", function()
    local seen = {}
    local app <close> = sessions.app(sessions.echo(seen), { pingInterval = 25, deadAfter = 60 })
    local ws = app:ws("/ws", { pong = false })
    app.clock:advance(59)
    assert.same({}, seen)
    app.clock:advance(27)
    assert.equal("close", seen[1] and seen[1][1])
    assert.equal(1006, seen[1][2])
    assert.is_true(ws.connection:closed())
  end)

  it("pings while the session sleeps", function()
    local app <close> = sessions.app(function(ws)
      spry.sleep(100)
      ws:sendText "slept well"
    end)
    local ws = app:ws "/ws"
    app.clock:advance(101)
    assert.equal("slept well", ws:receive())
    assert.is_true(#ws.pings >= 3)
  end)

  it("can ping by hand", function()
    local app <close> = sessions.app(function(ws)
      ws:ping "by hand"
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    assert.same({ "by hand" }, ws.pings)
    assert.equal("pong", frames.names[10])
  end)
end)

describe("time in a session", function()
  it("is the clock's: a feed's ten seconds take none", function()
    local app <close> = sessions.app(function(ws)
      local _ <close> = spry.every(10, function() ws:sendText "tick" end)
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    assert.same({ nil, "timeout" }, { ws:receive(9) })
    app.clock:advance(1)
    assert.equal("tick", ws:receive())
    app.clock:advance(20)
    assert.equal("tick", ws:receive())
    assert.equal("tick", ws:receive())
    ws:close()
    app.clock:advance(100)
    local texts = 0
    for _, frame in ipairs(ws.frames) do texts = texts + (frame.name == "text" and 1 or 0) end
    assert.equal(3, texts)
  end)

  it("ends with the session for ws:every, ws:after and ws:spawn", function()
    local ticks, cancelled = 0, false
    local app <close> = sessions.app(function(ws)
      ws:every(1, function() ticks = ticks + 1 end)
      ws:after(5, function() ticks = ticks + 100 end)
      ws:spawn(function()
        local _ <close> = spry.defer(function() cancelled = true end)
        spry.sleep(1000)
      end)
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    app.clock:advance(3)
    assert.equal(3, ticks)
    ws:close()
    app.clock:advance(10)
    assert.equal(3, ticks)
    assert.is_true(cancelled)
  end)
end)

describe("a slow client", function()
  local chunk = ("x"):rep(100000)

  it("makes sends return false, and flush wait", function()
    local results, sent = {}, {}
    local app <close> = sessions.app(function(ws)
      ws:receive()
      for i = 1, 5 do sent[i] = ws:sendBinary(chunk) end
      results.buffered = ws.bufferedAmount
      results.flushed = ws:flush()
      results.after = ws.bufferedAmount
      ws:sendText "flushed"
    end, { maxBuffered = 10000000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "go"
    assert.is_false(sent[5])
    assert.is_true(results.buffered >= 500000)
    app.clock:advance(1)
    assert.is_nil(results.flushed)
    ws.connection:stall(false)
    for _ = 1, 5 do assert.equal(100000, #ws:receive()) end
    assert.equal("flushed", ws:receive())
    assert.is_true(results.flushed)
    assert.is_true(results.after < results.buffered)
  end)

  it("is closed with 1013 when too much waits for it", function()
    local sent, seen = {}, {}
    local app <close> = sessions.app(function(ws)
      ws:receive()
      for i = 1, 30 do sent[i] = { ws:sendBinary(chunk) } end
      for kind, code in ws.events do seen[#seen + 1] = { kind, code } end
    end, { maxBuffered = 1000000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "go"
    assert.same({ nil, "closed" }, sent[30])
    ws.connection:stall(false)
    local kind, code
    repeat
      local _
      _, kind, code = ws:receive()
    until kind == "close"
    assert.equal(1013, code)
    assert.equal("close", seen[1][1])
  end)

  it("loses messages with onSlow = \"drop\", and stays", function()
    local sent = {}
    local app <close> = sessions.app(function(ws)
      ws:receive()
      for i = 1, 30 do sent[i] = ws:sendBinary(chunk) end
      ws:flush()
      ws:sendText "still here"
      ws.events:drain()
    end, { maxBuffered = 1000000, onSlow = "drop" })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "go"
    assert.is_false(sent[30])
    ws.connection:stall(false)
    local count = 0
    while ws:receive() ~= "still here" do count = count + 1 end
    assert.is_true(count >= 9 and count < 30, count)
  end)

  it("that never reads again does not keep flush waiting for ever", function()
    local flushed
    local app <close> = sessions.app(function(ws)
      ws:receive()
      for _ = 1, 5 do ws:sendBinary(chunk) end
      flushed = { ws:flush() }
    end, { maxBuffered = 10000000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "go"
    assert.is_nil(flushed)
    ws:hangup()
    assert.same({ nil, "closed" }, flushed)
  end)
end)

describe("a ws that others use", function()
  it("can be kept in a list and be sent to from other sessions", function()
    local everybody = {}
    local app <close> = sessions.app(function(ws)
      everybody[ws] = true
      local _ <close> = spry.defer(function() everybody[ws] = nil end)
      for kind, data in ws.events do
        if kind == "text" then
          for other in pairs(everybody) do other:sendText(data) end
        end
      end
    end)
    local clients = {}
    for i = 1, 5 do clients[i] = app:ws "/ws" end
    clients[3]:sendText "to all"
    for i = 1, 5 do assert.equal("to all", clients[i]:receive()) end
    clients[1]:hangup()
    clients[2]:close()
    clients[3]:sendText "again"
    for i = 3, 5 do assert.equal("again", clients[i]:receive()) end
    local left = 0
    for _ in pairs(everybody) do left = left + 1 end
    assert.equal(3, left)
  end)

  it("can be closed from elsewhere", function()
    local kept, seen
    local app <close> = sessions.app(function(ws)
      kept = ws
      seen = { ws:receive() }
    end)
    local ws = app:ws "/ws"
    kept:close(4002, "by another")
    assert.same({ nil, "close", 4002, "by another" }, { ws:receive() })
    assert.equal("close", seen[1])
    assert.equal(4002, seen[2])
  end)

  it("has an id of its own, and locals", function()
    local ids = {}
    local app <close> = sessions.app(function(ws)
      ids[#ids + 1] = ws.id
      ws.locals.n = #ids
      ws:receive()
      ws:sendText(tostring(ws.locals.n))
    end)
    local a, b = app:ws "/ws", app:ws "/ws"
    assert.is_not.equal(ids[1], ids[2])
    a:sendText ""
    b:sendText ""
    assert.equal("1", a:receive())
    assert.equal("2", b:receive())
  end)
end)
