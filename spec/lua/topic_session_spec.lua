local json = require "sprylua.json"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local testing = require "sprylua.testing"

-- A name of its own for each spec: declared topics stay.
local made = 0
local function fresh(history)
  made = made + 1
  local name = "served " .. made
  return name, history and spry.topic(name, { history = history })
end

local function app_of(opts, ends)
  return sessions.app(function(ws)
    local code, reason = spry.serveTopics(ws, opts)
    if ends then ends[1], ends[2] = code, reason end
  end)
end

local function everything() return true end

-- Sends a command, and gives the answer to it.
local function ask(ws, command)
  ws:sendJson(command)
  return ws:receiveJson()
end

local function silent(ws)
  assert.same({ nil, "timeout" }, { ws:receive(0) })
end

describe("spry.serveTopics", function()
  after_each(function() testing.reset() end)

  it("subscribes, and sends what is published from then on", function()
    local name, topic = fresh(10)
    topic:publish "before"
    local app <close> = app_of()
    local ws = app:ws "/ws"
    assert.same({ topic = name, subscribed = true, recovered = false, id = topic.id },
      ask(ws, { subscribe = name }))
    topic:publish { n = 1 }
    assert.same({ topic = name, id = topic.id, data = { n = 1 } }, ws:receiveJson())
    ws:sendJson { unsubscribe = name }
    ws:sendJson { unsubscribe = name }
    topic:publish "behind"
    silent(ws)
  end)

  it("says that all was recovered before it sends what was missed, and what follows behind that", function()
    local name, topic = fresh(10)
    topic:publish "0"
    local from = topic.id
    for i = 1, 5 do topic:publish(tostring(i)) end
    local app <close> = app_of()
    local ws = app:ws "/ws"
    assert.same({ topic = name, subscribed = true, recovered = true, id = topic.id },
      ask(ws, { subscribe = name, from = from }))
    topic:publish "6"
    for i = 1, 6 do assert.equal(tostring(i), ws:receiveJson().data) end
    silent(ws)
  end)

  it("says that it was not: of an id too old, of another process, or that is none", function()
    local name, topic = fresh(2)
    topic:publish "0"
    local old = topic.id
    for i = 1, 5 do topic:publish(tostring(i)) end
    local behind = topic.id:gsub("6$", "4")
    for _, from in ipairs { old, "0123:5", "nonsense", "" } do -- what is kept comes all the same
      local app <close> = app_of()
      local ws = app:ws "/ws"
      assert.same({ topic = name, subscribed = true, recovered = false, id = behind },
        ask(ws, { subscribe = name, from = from }))
      for i = 4, 5 do assert.equal(tostring(i), ws:receiveJson().data) end
      silent(ws)
    end
    for _, from in ipairs { 5, false, { "x" } } do
      local app <close> = app_of()
      local ws = app:ws "/ws"
      assert.same({ topic = name, subscribed = true, recovered = false, id = topic.id },
        ask(ws, { subscribe = name, from = from }))
      silent(ws)
    end
  end)

  it("serves no topic without a history: what goes out there could say that it is of another one", function()
    local name = fresh()
    local app <close> = app_of { allow = everything }
    local ws = app:ws "/ws"
    assert.same({ topic = name, error = "no topic", action = "subscribe" }, ask(ws, { subscribe = name }))
    assert.same({ topic = name, error = "no topic", action = "publish" }, ask(ws, { publish = name, data = "x" }))
  end)

  it("lets nobody publish, unless allow says so", function()
    local name, topic = fresh(10)
    local app <close> = app_of()
    local ws = app:ws "/ws"
    assert.same({ topic = name, error = "forbidden", action = "publish" }, ask(ws, { publish = name, data = "x" }))
    assert.truthy(topic.id:find ":0$")
  end)

  it("publishes to everybody, the client itself too", function()
    local name, topic = fresh(10)
    local app <close> = app_of { allow = everything }
    local a, b = app:ws "/ws", app:ws "/ws"
    ask(a, { subscribe = name })
    ask(b, { subscribe = name })
    for _, data in ipairs { "text", 1, false, json.null, { a = { 1, 2 } } } do
      a:sendJson { publish = name, data = data }
      for _, ws in ipairs { a, b } do assert.same({ topic = name, id = topic.id, data = data }, ws:receiveJson()) end
    end
  end)

  it("asks allow about each topic and action; it may wait", function()
    local name, topic = fresh(10)
    local asked = {}
    local app <close> = app_of { allow = function(asked_for, action, ws)
      spry.sleep(1)
      asked[#asked + 1] = { asked_for, action, type(ws.id) }
      return action == "publish"
    end }
    local ws = app:ws "/ws"
    assert.same({ topic = name, error = "forbidden", action = "subscribe" }, ask(ws, { subscribe = name }))
    topic:publish "x"
    silent(ws)
    ws:sendJson { publish = name, data = "y" }
    app.clock:advance(1)
    assert.truthy(topic.id:find ":2$")
    assert.same({ { name, "subscribe", "string" }, { name, "publish", "string" } }, asked)
  end)

  it("hands everything else to message", function()
    local got = {}
    local app <close> = app_of { message = function(data, kind) got[#got + 1] = { kind, data } end, allow = everything }
    local ws = app:ws "/ws"
    local texts = { "hello", "", "{", "[]", "1", "null", "{}", '{"subscribe":5}', '{"publish":"x"}', '"subscribe"',
      '{"unsubscribe":null}', '{"subscribe":{"a":1}}' }
    for _, text in ipairs(texts) do ws:sendText(text) end
    ws:sendBinary '{"subscribe":"x"}'
    local expected = {}
    for i, text in ipairs(texts) do expected[i] = { "text", text } end
    expected[#expected + 1] = { "binary", '{"subscribe":"x"}' }
    assert.same(expected, got)
    silent(ws)
  end)

  it("drops it where there is no message", function()
    local app <close> = app_of()
    local ws = app:ws "/ws"
    ws:sendText "hello"
    silent(ws)
    assert.is_false(ws.closed)
  end)

  it("refuses names that no topic can have", function()
    local app <close> = app_of { allow = everything }
    local ws = app:ws "/ws"
    for _, name in ipairs { "", ("x"):rep(10000) } do
      assert.same({ topic = name, error = "no topic", action = "subscribe" }, ask(ws, { subscribe = name }))
      assert.same({ topic = name, error = "no topic", action = "publish" }, ask(ws, { publish = name, data = "x" }))
    end
    assert.is_false(ws.closed)
  end)

  it("bounds the topics of one client", function()
    local app <close> = app_of { maxTopics = 2 }
    local ws = app:ws "/ws"
    local a, b, c = fresh(1), fresh(1), fresh(1)
    assert.is_true(ask(ws, { subscribe = a }).subscribed)
    assert.is_true(ask(ws, { subscribe = b }).subscribed)
    assert.is_true(ask(ws, { subscribe = b }).subscribed) -- again
    assert.same({ topic = c, error = "too many topics", action = "subscribe" }, ask(ws, { subscribe = c }))
    ws:sendJson { unsubscribe = a }
    ws:sendJson { unsubscribe = a }
    assert.is_true(ask(ws, { subscribe = c }).subscribed)
    assert.equal("too many topics", ask(ws, { subscribe = a }).error)
  end)

  it("returns how the session ended", function()
    local ends = {}
    local app <close> = app_of(nil, ends)
    app:ws("/ws"):close(4001, "bye")
    assert.same({ 4001, "bye" }, ends)
  end)

  it("leaves no subscription behind", function()
    local name = fresh(1)
    local app <close> = app_of()
    local ws = app:ws "/ws"
    ask(ws, { subscribe = name })
    assert.equal(1, spry.publish(name, "x"))
    ws:hangup()
    assert.equal(0, spry.publish(name, "x"))
  end)

  it("says what it is for when it is called without a ws", function()
    local ok, message = pcall(function() spry.serveTopics() end)
    assert.is_false(ok)
    assert.matches("topic_session_spec.lua:%d+: spry.serveTopics takes the ws of a session", message)
  end)

  it("refuses a ws that leaves messages out, before it has read anything", function()
    local message
    local app <close> = sessions.app(function(ws)
      message = select(2, pcall(function() spry.serveTopics(ws) end))
      assert.equal("text", ws:receive())
    end, { onSlow = "drop" })
    app:ws("/ws"):sendText "still there"
    assert.matches('topic_session_spec.lua:%d+: spry.serveTopics takes a ws with onSlow = "close"', message)
  end)

  it("refuses a ws that somebody reads already where it is called", function()
    for _, read in ipairs { function(ws) ws:receive() end, function(ws) spry.serveTopics(ws) end } do
      local message
      local app <close> = sessions.app(function(ws)
        ws:spawn(read, ws)
        message = select(2, pcall(function() spry.serveTopics(ws) end))
      end)
      app:ws "/ws"
      assert.matches("topic_session_spec.lua:%d+: another coroutine is waiting in ws.events already", message)
    end
  end)

  it("raises what allow and message raise as it is", function()
    local app <close> = app_of { message = function() error("from message", 0) end }
    local ws = app:ws "/ws"
    ws:sendText "x"
    assert.equal(1011, select(3, ws:receive()))
    assert.matches("WebSocket session [^:]*: from message\n", table.concat(app.log, "\n") .. "\n")
  end)

  it("refuses options that it does not have", function()
    local app <close> = app_of { allows = everything }
    local ws = app:ws "/ws"
    assert.same({ nil, "close", 1011, "" }, { ws:receive() })
    assert.truthy(table.concat(app.log):find("spry.serveTopics has no option allows; did you mean allow?", 1, true))
  end)
end)
