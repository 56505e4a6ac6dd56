-- Topics as routes use them: from sessions, handlers, timers and hooks.

local core = require "sprylua.core"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

describe("ws:subscribe and spry.publish", function()
  it("bring texts, bytes and JSON to all who have subscribed", function()
    local name = sessions.topic()
    local app <close>, results = sessions.commands {
      sub = sessions.subscribe(name), unsub = sessions.unsubscribe(name),
    }
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
    local name = sessions.topic()
    local app <close>, results = sessions.commands {
      sub = sessions.subscribe(name), say = function(ws, words) return ws:publish(name, words) end,
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
    local name = sessions.topic()
    local app <close>, _ = sessions.commands { sub = sessions.subscribe(name) }
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
    local name = sessions.topic()
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
    local name = sessions.topic()
    local app <close>, results = sessions.commands { sub = sessions.subscribe(name) }
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
    local app <close>, results = sessions.commands { x = function() end }
    local client = app:ws "/ws"
    client:sendText "x"
    local ws = results.ws
    local wrong = {
      ["the name of a topic is a string"] = function() ws:subscribe() end,
      ["the name of a topic has 1 to 255 bytes"] = function() ws:unsubscribe "" end,
      ["the name of a topic is UTF%-8"] = function() spry.publish("\xff", "x") end,
      ["ws:subscribe has no option form"] = function() ws:subscribe("t", { form = "x" }) end,
      ["the options of publish are a table, not a string"] = function() spry.publish("t", "x", "binary") end,
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

describe("spry.topics", function()
  it("lists what there is, by name", function()
    local plain, declared = sessions.topic "a", sessions.topic "b"
    spry.topic(declared):publish "x"
    local app <close>, _ = sessions.commands { sub = function(ws)
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
