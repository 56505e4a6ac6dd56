local core = require "sprylua.core"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"

describe("a topic with a history", function()
  local function envelope(name, id, data) return { topic = name, id = id, data = data } end

  it("gives each message an id and an envelope", function()
    local name = sessions.topic 'a "topic" '
    local topic = spry.topic(name, { history = 10 })
    assert.equal(name, topic.name)
    assert.equal(topic, spry.topic(name))
    local epoch = topic.id:match "^(%x+):0$"
    assert.is_truthy(epoch)
    local app <close>, results = sessions.commands { sub = sessions.subscribe(name) }
    local ws = app:ws "/ws"
    ws:sendText "sub"
    assert.same({ { recovered = false, id = epoch .. ":0" }, n = 1 }, results.sub)
    assert.equal(1, topic:publish 'a "text"\n')
    spry.publish(name, { n = 1 })
    assert.same(envelope(name, epoch .. ":1", 'a "text"\n'), ws:receiveJson())
    assert.same(envelope(name, epoch .. ":2", { n = 1 }), ws:receiveJson())
    assert.equal(epoch .. ":2", topic.id)
    assert.error_matches(function() topic:publish("x", { binary = true }) end, "no binary messages")
    assert.error_matches(function() topic:publish "\xff" end, "a text is UTF")
    assert.error_matches(function() topic.id = "x" end, "can't be set")
    assert.equal(epoch .. ":2", topic.id)
  end)

  it("replays what was missed, once and in order, with no gap to what follows", function()
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 100 })
    for i = 1, 50 do topic:publish(i) end
    local app <close>, results = sessions.commands { sub = function(ws, from)
      local subscribed = ws:subscribe(name, { from = from })
      topic:publish "and on"
      return subscribed
    end }
    local ws = app:ws "/ws"
    ws:sendText("sub " .. topic.id:gsub(":50$", ":20"))
    assert.same({ recovered = true, id = (topic.id:gsub(":51$", ":50")) }, results.sub[1])
    for i = 21, 50 do
      local message = ws:receiveJson()
      assert.equal(i, message.data)
      assert.matches(":" .. i .. "$", message.id)
    end
    assert.equal("and on", ws:receiveJson().data)
    assert.same({ nil, "timeout" }, { ws:receive(0) })
  end)

  it("says so when it can't", function()
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 5 })
    for i = 1, 10 do topic:publish(i) end
    local epoch = topic.id:match "^%x+"
    local app <close>, results = sessions.commands {
      sub = function(ws, from) return ws:subscribe(name, { from = from }) end, unsub = sessions.unsubscribe(name),
    }
    local ws = app:ws "/ws"
    local function try(from)
      ws:sendText("sub " .. from)
      ws:sendText "unsub"
      local replayed = 0
      while ws:receive(0) do replayed = replayed + 1 end
      return results.sub[1].recovered, replayed
    end
    assert.same({ true, 0 }, { try(epoch .. ":10") })
    assert.same({ true, 5 }, { try(epoch .. ":5") })
    assert.same({ false, 5 }, { try(epoch .. ":4") }) -- 5 is gone
    for _, from in ipairs {
      "", "5", ":5", epoch, epoch .. ":", epoch .. ":-1", epoch .. ":5 ", epoch .. ":5.0",
      epoch .. ":0x5",
      "0" .. epoch .. ":5", ("0"):rep(16) .. ":5", epoch:upper() .. ":99999",
    } do
      assert.same({ false, 5 }, { try(from) }, from)
    end
    for _, from in ipairs { epoch .. ":11", epoch .. ":" .. ("9"):rep(30) } do -- nothing is to be repeated
      assert.same({ false, 0 }, { try(from) }, from)
    end
    for _, from in ipairs { 5, true, {}, spry.json.null } do
      assert.same({ recovered = false, id = epoch .. ":5" }, results.ws:subscribe(name, { from = from }))
      results.ws:unsubscribe(name)
    end
    assert.same({ recovered = false, id = topic.id }, results.ws:subscribe(name))
  end)

  it("replays nothing to who is subscribed already", function()
    local name = sessions.topic()
    local topic = spry.topic(name)
    topic:publish "old"
    local app <close>, results = sessions.commands { sub = sessions.subscribe(name) }
    local ws = app:ws "/ws"
    ws:sendText "sub"
    ws:sendText("sub " .. topic.id:gsub("1$", "0"))
    assert.is_false(results.sub[1].recovered)
    assert.same({ nil, "timeout" }, { ws:receive(0) })
  end)

  it("keeps within its bounds, of messages and of bytes", function()
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 3, bytes = 100 })
    local function kept()
      for _, info in ipairs(spry.topics()) do
        if info.name == name then return info.messages end
      end
    end
    for i = 1, 10 do topic:publish(i) end
    assert.equal(3, kept())
    topic:publish(("x"):rep(98))
    assert.equal(2, kept())
    topic:publish(("x"):rep(101)) -- too large for any history
    assert.equal(0, kept())
    topic:publish "x"
    assert.equal(1, kept())
    spry.topic(name, { history = 20 })
    for i = 1, 30 do topic:publish(i) end
    assert.equal(20, kept())
    spry.topic(name, { history = 2 })
    assert.equal(2, kept())
  end)

  -- A replay to a client that takes nothing for a while, under a small maxBuffered.
  local function replay_to_a_slow_one(onSlow, meanwhile)
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 100 })
    local first = topic.id
    for i = 1, 100 do topic:publish(i .. ("x"):rep(1000)) end
    local app <close>, results = sessions.commands({ sub = sessions.subscribe(name) },
      { maxBuffered = 20000, onSlow = onSlow })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText("sub " .. first)
    assert.is_nil(results.sub)
    meanwhile(topic, ws)
    ws.connection:stall(false)
    local got = {}
    repeat
      local text = ws:receive()
      local message = text and spry.json.decode(text)
      got[#got + 1] = message and tonumber(message.data:match "^%d+")
    until not message or message.id == topic.id
    return results.sub, got, topic
  end

  for _, onSlow in ipairs { "close", "drop" } do
    it("is replayed at the pace of its reader, onSlow = " .. onSlow, function()
      local answer, got, topic = replay_to_a_slow_one(onSlow, function(topic)
        for i = 101, 105 do topic:publish(i .. "") end
      end)
      -- Five have gone from the history that it had to come to, and it had not.
      assert.same({ recovered = true, id = topic.id }, answer[1])
      assert.equal(105, #got)
      for i = 1, 105 do assert.equal(i, got[i]) end
    end)
  end

  it("says when messages are gone before a slow reader came to them", function()
    local answer, got, topic = replay_to_a_slow_one("close", function(topic)
      for i = 101, 180 do topic:publish(i .. "") end
    end)
    assert.is_false(answer[1].recovered)
    local at = tonumber(answer[1].id:match "%d+$")
    assert.equal(80, at)
    assert.equal(180, got[#got])
    for i = 1, 100 do assert.equal(80 + i, got[#got - 100 + i]) end
    assert.is_true(#got > 100 and got[1] == 1)
    assert.equal(topic.id, (answer[1].id:gsub("%d+$", "180")))
  end)

  -- A replay that waits for a slow client, in a coroutine of its own, and what else the session does meanwhile.
  local function during_a_replay(act)
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 100 })
    local first = topic.id
    for i = 1, 100 do topic:publish(i .. ("x"):rep(1000)) end
    local replayed, results
    local app <close> = sessions.app(function(ws)
      ws:receive()
      ws:spawn(function() replayed = table.pack(ws:subscribe(name, { from = first })) end)
      assert(replayed == nil)
      results = act(ws, name, topic)
      ws.events:drain()
    end, { maxBuffered = 20000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "begin"
    ws.connection:stall(false)
    local got = {}
    for text in function() return (ws:receive(0)) end do
      got[#got + 1] = tonumber(spry.json.decode(text).data:match "^%d+")
    end
    ws:close()
    return replayed, results, got, core.stats().subscriptions
  end

  it("is subscribed once, whoever subscribes during the replay", function()
    for _, from in ipairs { false, "" } do
      local replayed, results, got = during_a_replay(function(ws, name, topic)
        local answer = ws:subscribe(name, { from = from or nil })
        for i = 101, 103 do topic:publish(i .. "") end
        return answer
      end)
      assert.is_true(replayed[1].recovered)
      assert.is_false(results.recovered)
      assert.equal(103, #got)
      for i = 1, 103 do assert.equal(i, got[i]) end
    end
  end)

  it("may be unsubscribed during the replay", function()
    local replayed, results, got, left = during_a_replay(function(ws, name)
      return { ws:unsubscribe(name), ws:unsubscribe(name) }
    end)
    assert.same({ true, false }, results)
    assert.same({ nil, "unsubscribed", n = 2 }, replayed)
    assert.is_true(#got < 100)
    assert.equal(0, left)
  end)

  it("is replayed while others wait for the same client", function()
    local flushed = {}
    local replayed, _, got = during_a_replay(function(ws)
      for i = 1, 3 do ws:spawn(function() flushed[i] = ws:flush() end) end
    end)
    assert.is_true(replayed[1].recovered)
    assert.equal(100, #got)
    assert.same({ true, true, true }, flushed)
  end)

  it("is not replayed to one who goes meanwhile", function()
    local name = sessions.topic()
    local topic = spry.topic(name, { history = 100 })
    local first = topic.id
    for _ = 1, 100 do topic:publish(("x"):rep(1000)) end
    local app <close>, results = sessions.commands({ sub = sessions.subscribe(name) }, { maxBuffered = 20000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText("sub " .. first)
    ws.connection:hangup()
    assert.same({ nil, "closed", n = 2 }, results.sub)
    assert.equal(0, core.stats().subscriptions)
  end)
end)
