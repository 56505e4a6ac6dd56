-- Topics as routes use them: from sessions, handlers, timers and hooks.

local core = require "sprylua.core"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

-- A name of its own for each spec: declared topics stay.
local made = 0
local function fresh(prefix)
  made = made + 1
  return (prefix or "topic ") .. made
end

-- An app whose sessions do with each text what `commands` has for its first word; what that returns is kept.
local function app_of(commands, upgrade)
  local results = {}
  local app = sessions.app(function(ws)
    results.ws = ws
    for kind, data in ws.events do
      if kind == "text" then
        local command, argument = data:match "^(%S+) ?(.*)$"
        results[command] = table.pack(commands[command](ws, argument))
      end
    end
  end, upgrade)
  return app, results
end

local function subscriber(name, opts)
  return function(ws) return ws:subscribe(name, opts) end
end

describe("ws:subscribe and spry.publish", function()
  it("bring texts, bytes and JSON to all who have subscribed", function()
    local name = fresh()
    local app <close>, results = app_of { sub = subscriber(name), unsub = function(ws) return ws:unsubscribe(name) end }
    local a, b, c = app:ws "/ws", app:ws "/ws", app:ws "/ws"
    a:sendText "sub"
    assert.same({ { recovered = false }, n = 1 }, results.sub)
    b:sendText "sub"
    assert.equal(2, spry.publish(name, "ünï"))
    assert.equal(2, spry.publish(name, "\0\xff", { binary = true }))
    assert.equal(2, spry.publish(name, { list = spry.json.array {} }))
    spry.publish(name, 12)
    spry.publish(name, false)
    for _, ws in ipairs { a, b } do
      assert.same({ "ünï", "text" }, { ws:receive() })
      assert.same({ "\0\xff", "binary" }, { ws:receive() })
      assert.same({ '{"list":[]}', "text" }, { ws:receive() })
      assert.equal("12", ws:receive())
      assert.equal("false", ws:receive())
    end
    assert.same({ nil, "timeout" }, { c:receive(0) })
    a:sendText "unsub"
    assert.same({ true, n = 1 }, results.unsub)
    a:sendText "unsub"
    assert.same({ false, n = 1 }, results.unsub)
    assert.equal(1, spry.publish(name, "x"))
  end)

  it("take a ws's own message to everybody else", function()
    local name = fresh()
    local app <close>, results = app_of {
      sub = subscriber(name), say = function(ws, words) return ws:publish(name, words) end,
    }
    local a, b = app:ws "/ws", app:ws "/ws"
    a:sendText "sub"
    b:sendText "sub"
    a:sendText "say hello"
    assert.same({ 1, n = 1 }, results.say)
    assert.equal("hello", b:receive())
    assert.same({ nil, "timeout" }, { a:receive(0) })
  end)

  it("work from a handler, a timer, a task, a hook, and another app", function()
    local name = fresh()
    local app <close>, _ = app_of { sub = subscriber(name) }
    local ws = app:ws "/ws"
    ws:sendText "sub"
    package.loaded["spec.topic"] = name
    local other = testing.app(temp_routes.project {
      ["routes/say.post.lua"] = function(event) return { receivers = spry.publish(name, event.request:text()) } end,
      ["routes/late.get.lua"] = function()
        spry.after(5, function() spry.publish(name, "from a timer") end)
        spry.spawn(function()
          spry.sleep(1)
          spry.publish(name, "from a task")
        end)
        error "for the hook"
      end,
      ["hooks.lua"] = [[
        return { onError = function() require "sprylua".publish(require "spec.topic", "from a hook") end }
      ]],
    } .. "/routes")
    assert.same({ receivers = 1 }, other:post("/say", { body = "from a handler" }):json())
    assert.equal(500, other:get("/late").status)
    for _, from in ipairs { "a handler", "a hook", "a task", "a timer" } do
      assert.equal("from " .. from, ws:receive(10))
    end
    other:close()
    assert.equal(1, spry.publish(name, "after its end"))
    assert.equal("after its end", ws:receive())
  end)

  it("are ended by the session's end, inside of which one may publish", function()
    local name = fresh()
    local result
    local app <close> = sessions.app(function(ws)
      ws:subscribe(name)
      local _ <close> = spry.defer(function()
        result = { ws:subscribe(name), ws:publish(name, "bye"), ws:unsubscribe(name) }
      end)
      ws.events:drain()
    end)
    local a, b = app:ws "/ws", app:ws "/ws"
    a:close()
    assert.equal("bye", b:receive())
    assert.same({ nil, 1, false }, result)
    assert.equal(1, core.stats().subscriptions)
  end)

  it("show the state of a ws that is gone", function()
    local name = fresh()
    local app <close>, results = app_of { sub = subscriber(name) }
    local client = app:ws "/ws"
    client:sendText "sub"
    local ws = results.ws
    client:hangup()
    assert.same({ nil, "closed" }, { ws:subscribe(name) })
    assert.same({ nil, "closed" }, { ws:track(name) })
    assert.is_false(ws:unsubscribe(name))
    assert.is_false(ws:untrack(name))
    assert.equal(0, ws:publish(name, "x"))
    assert.equal(0, ws.dropped)
  end)

  it("check what they are given, where it is given", function()
    local app <close>, results = app_of { x = function() end }
    local client = app:ws "/ws"
    client:sendText "x"
    local ws = results.ws
    local wrong = {
      ["the name of a topic is a string"] = function() ws:subscribe() end,
      ["the name of a topic has 1 to 255 bytes"] = function() ws:unsubscribe "" end,
      ["the name of a topic is UTF%-8"] = function() spry.publish("\xff", "x") end,
      ["ws:subscribe has no option form"] = function() ws:subscribe("t", { form = "x" }) end,
      ["publish has no option binery"] = function() spry.publish("t", "x", { binery = true }) end,
      ["binary must be true or false"] = function() ws:publish("t", "x", { binary = 1 }) end,
      ["a string, or a value for JSON, not nil"] = function() spry.publish "t" end,
      ["a string, or a value for JSON, not a function"] = function() ws:publish("t", print) end,
      ["what is published: "] = function() spry.publish("t", { print }) end,
      ["a text is UTF%-8"] = function() spry.publish("t", "\xff") end,
      ["the name of a topic has 1 to 255 bytes "] = function() spry.topic(("x"):rep(256)) end,
      ["spry.topic: history must be a whole number"] = function() spry.topic("t", { history = 0 }) end,
      ["ws:track: the meta"] = function() ws:track("t", print) end,
      ["the name of a topic is a string "] = function() ws:track(12) end,
    }
    for sentence, call in pairs(wrong) do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches((sentence:gsub(" $", "")), message)
      assert.matches("topics_spec.lua:%d+: ", message)
    end
    assert.same({ 0, 0 }, { core.stats().topics, core.stats().subscriptions })
  end)
end)

describe("a topic with a history", function()
  local function envelope(name, id, data) return { topic = name, id = id, data = data } end

  it("gives each message an id and an envelope", function()
    local name = fresh 'a "topic" '
    local topic = spry.topic(name, { history = 10 })
    assert.equal(name, topic.name)
    assert.equal(topic, spry.topic(name))
    local epoch = topic.id:match "^(%x+):0$"
    assert.is_truthy(epoch)
    local app <close>, results = app_of { sub = subscriber(name) }
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
    local name = fresh()
    local topic = spry.topic(name, { history = 100 })
    for i = 1, 50 do topic:publish(i) end
    local app <close>, results = app_of { sub = function(ws, from)
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
    local name = fresh()
    local topic = spry.topic(name, { history = 5 })
    for i = 1, 10 do topic:publish(i) end
    local epoch = topic.id:match "^%x+"
    local app <close>, results = app_of { sub = function(ws, from) return ws:subscribe(name, { from = from }) end,
      unsub = function(ws) ws:unsubscribe(name) end }
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
    assert.same({ false, 0 }, { try(epoch .. ":4") }) -- 5 is gone
    for _, from in ipairs {
      "", "5", ":5", epoch, epoch .. ":", epoch .. ":11", epoch .. ":-1", epoch .. ":5 ", epoch .. ":5.0",
      epoch .. ":0x5",
      epoch .. ":" .. ("9"):rep(30), "0" .. epoch .. ":5", ("0"):rep(16) .. ":5", epoch:upper() .. ":99999",
    } do
      assert.same({ false, 0 }, { try(from) }, from)
    end
    for _, from in ipairs { 5, true, {}, spry.json.null } do
      assert.same({ recovered = false, id = topic.id }, results.ws:subscribe(name, { from = from }))
      results.ws:unsubscribe(name)
    end
  end)

  it("replays nothing to who is subscribed already", function()
    local name = fresh()
    local topic = spry.topic(name)
    topic:publish "old"
    local app <close>, results = app_of { sub = function(ws, from) return ws:subscribe(name, { from = from }) end }
    local ws = app:ws "/ws"
    ws:sendText "sub"
    ws:sendText("sub " .. topic.id:gsub("1$", "0"))
    assert.is_false(results.sub[1].recovered)
    assert.same({ nil, "timeout" }, { ws:receive(0) })
  end)

  it("keeps within its bounds, of messages and of bytes", function()
    local name = fresh()
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

  it("does not end a replay in the middle without a word when the peer is slow", function()
    local name = fresh()
    local topic = spry.topic(name, { history = 100 })
    local first = topic.id
    for _ = 1, 100 do topic:publish(("x"):rep(1000)) end
    local app <close>, results = app_of({ sub = function(ws) return ws:subscribe(name, { from = first }) end },
      { maxBuffered = 20000 })
    local ws = app:ws "/ws"
    ws.connection:stall()
    ws:sendText "sub"
    ws.connection:stall(false)
    ws:sendText "x"
    assert.same({ nil, "closed", n = 2 }, results.sub)
    assert.equal(0, core.stats().subscriptions)
  end)
end)

describe("spry.topics", function()
  it("lists what there is, by name", function()
    local plain, declared = fresh "a", fresh "b"
    spry.topic(declared):publish "x"
    local app <close>, _ = app_of { sub = function(ws)
      ws:subscribe(plain)
      ws:subscribe(declared)
    end }
    local ws = app:ws "/ws"
    ws:sendText "sub"
    app:ws("/ws"):sendText "sub"
    local found = {}
    for i, info in ipairs(spry.topics()) do
      found[info.name] = info
      assert.is_true(i == 1 or spry.topics()[i - 1].name < info.name)
    end
    assert.same({ name = plain, subscribers = 2 }, found[plain])
    assert.same({ name = declared, subscribers = 2, followers = 0, messages = 1, id = spry.topic(declared).id },
      found[declared])
  end)
end)

describe("presence", function()
  local function room()
    local name = fresh "room "
    local app, results = app_of {
      sub = subscriber(name),
      track = function(ws, meta) return ws:track(name, meta ~= "" and { name = meta } or nil) end,
      untrack = function(ws) return ws:untrack(name) end,
      raise = function() error "as told" end,
      sleep = function() spry.sleep(1000) end,
    }
    local watch = app:ws "/ws"
    watch:sendText "sub"
    return name, app, results, watch
  end

  local function change(name, what, key, meta)
    return { topic = name, presence = what, key = key, meta = meta }
  end

  it("tells who joins and who leaves, and lists who is there", function()
    local name, app, results, watch = room()
    assert.same({}, spry.presence(name))
    local ann = app:ws "/ws"
    ann:sendText "track ann"
    local a = results.ws.id
    assert.is_true(results.track[1])
    local ben = app:ws "/ws"
    ben:sendText "track"
    local b = results.ws.id
    assert.same({ { key = a, meta = { name = "ann" } }, { key = b, meta = {} } }, spry.presence(name))
    ann:sendText "track anna"
    assert.same({ { key = a, meta = { name = "anna" } }, { key = b, meta = {} } }, spry.presence(name))
    ann:sendText "untrack"
    assert.same({ true, n = 1 }, results.untrack)
    ann:sendText "untrack"
    assert.same({ false, n = 1 }, results.untrack)
    ann:sendText "track back"
    ann:close()
    ben:hangup()
    for _, expected in ipairs {
      change(name, "join", a, { name = "ann" }), change(name, "join", b, {}),
      change(name, "join", a, { name = "anna" }),
      change(name, "leave", a, { name = "anna" }), change(name, "join", a, { name = "back" }),
      change(name, "leave", a, { name = "back" }), change(name, "leave", b, {}),
    } do
      assert.same(expected, watch:receiveJson())
    end
    assert.same({}, spry.presence(name))
    app:close()
  end)

  for how, finish in pairs {
    raises = function(ws) ws:sendText "raise" end,
    ["sleeps while its peer goes"] = function(ws)
      ws:sendText "sleep"
      ws:hangup()
    end,
  } do
    it("ends with a session that " .. how, function()
      local name, app, _, watch = room()
      local ws = app:ws "/ws"
      ws:sendText "sub"
      ws:sendText "track"
      assert.equal("join", watch:receiveJson().presence)
      finish(ws)
      assert.equal("leave", watch:receiveJson().presence)
      assert.same({}, spry.presence(name))
      app:close()
    end)
  end

  it("is not changed by what is done with its meta afterwards", function()
    local name, app, results = room()
    app:ws("/ws"):sendText "track"
    local meta = { list = { 1 } }
    results.ws:track(name, meta)
    meta.list[1] = 2
    spry.presence(name)[1].meta.list[1] = 3
    assert.same({ list = { 1 } }, spry.presence(name)[1].meta)
    app:close()
    assert.same({}, spry.presence(name))
  end)

  it("is for a ws that can still be reached", function()
    local name, app, results = room()
    app:ws("/ws"):sendText "track"
    results.ws:close()
    assert.same({ nil, "closed" }, { results.ws:track(name) })
    assert.same({ nil, "closed" }, { results.ws:track "another" })
    testing.reset()
    assert.same({}, spry.presence(name))
    assert.same({}, spry.presence "another")
    app:close()
  end)
end)
