-- One topic, read as server-sent events and by long polling.

local core = require "sprylua.core"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local made = 0

-- An app that serves a topic of its own at /events and /poll.
local function served(opts, poll)
  made = made + 1
  local topic = spry.topic("followed " .. made, opts)
  return topic, temp_routes.app {
    ["events.lua"] = function(event) return topic:events(event) end,
    ["poll.lua"] = function(event) return topic:poll(event, poll) end,
  }
end

local function following()
  for _, info in ipairs(spry.topics()) do
    if info.name == "followed " .. made then return info.followers end
  end
end

local function id(topic, offset)
  return (topic.id:gsub("%d+$", tostring(offset)))
end

local function open(app, last, path)
  local res = app:get(path or "/events", { stream = true, headers = { ["last-event-id"] = last } })
  assert.equal(200, res.status)
  return res
end

local function sent(topic, offset, data)
  return ("id: %s\ndata: %s\n\n"):format(id(topic, offset), data)
end

local function lost(topic, offset)
  return ('event: lost\nid: %s\ndata: {"topic":"%s","recovered":false,"id":"%s"}\n\n'):format(
    id(topic, offset), topic.name, id(topic, offset))
end

describe("topic:events", function()
  it("tells where it begins, and follows", function()
    local topic, app <close> = served()
    topic:publish "before"
    local res = open(app)
    assert.matches("^text/event%-stream", res.headers:get "content-type")
    assert.equal(("id: %s\n\n"):format(id(topic, 1)), res:receive())
    assert.equal(1, topic:publish "one\ntwo")
    assert.equal(("id: %s\ndata: one\ndata: two\n\n"):format(id(topic, 2)), res:receive())
    topic:publish { n = 1 }
    topic:publish(2)
    assert.equal(sent(topic, 3, '{"n":1}') .. sent(topic, 4, "2"), res:receive())
    res:hangup()
  end)

  it("gives each of several readers what it has not seen", function()
    local topic, app <close> = served()
    for i = 1, 3 do topic:publish(i) end
    local late, early = open(app, id(topic, 1)), open(app, id(topic, 3))
    assert.equal(("id: %s\n\n"):format(id(topic, 1)) .. sent(topic, 2, "2") .. sent(topic, 3, "3"), late:receive())
    assert.equal(("id: %s\n\n"):format(id(topic, 3)), early:receive())
    topic:publish "x"
    topic:publish "y"
    for _, res in ipairs { late, early } do
      assert.equal(sent(topic, 4, "x") .. sent(topic, 5, "y"), res:receive())
      res:hangup()
    end
    assert.equal(0, following())
  end)

  it("replays from Last-Event-ID, and from the query", function()
    local topic, app <close> = served()
    for i = 1, 5 do topic:publish(i) end
    local expected = ("id: %s\n\n"):format(id(topic, 3)) .. sent(topic, 4, "4") .. sent(topic, 5, "5")
    local res = open(app, id(topic, 3))
    assert.equal(expected, res:receive())
    res:hangup()
    res = open(app, nil, "/events?from=" .. id(topic, 3))
    assert.equal(expected, res:receive())
    topic:publish "and on"
    assert.equal(sent(topic, 6, "and on"), res:receive())
    res:hangup()
  end)

  it("says when what was missed is gone, and goes on with what is kept", function()
    for case = 1, 3 do
      local topic, app <close> = served { history = 3 }
      for i = 1, 5 do topic:publish(i) end
      local froms = { id(topic, 1), "nonsense", "ffffffffffffffff:4" }
      local res = open(app, froms[case])
      assert.equal(lost(topic, 2) .. sent(topic, 3, "3") .. sent(topic, 4, "4") .. sent(topic, 5, "5"), res:receive())
      topic:publish "and on"
      assert.equal(sent(topic, 6, "and on"), res:receive())
      res:hangup()
    end
  end)

  it("repeats nothing to who has seen more than there is", function()
    local topic, app <close> = served { history = 3 }
    for i = 1, 5 do topic:publish(i) end
    local res = open(app, id(topic, 6))
    assert.equal(lost(topic, 5), res:receive())
    topic:publish "and on"
    assert.equal(sent(topic, 6, "and on"), res:receive())
    res:hangup()
    local answer = app:get("/poll?from=" .. id(topic, 7)):json()
    assert.same({ false, id(topic, 6), {} }, { answer.recovered, answer.id, answer.messages })
  end)

  it("says when its reader has fallen behind", function()
    local topic, app <close> = served { history = 3 }
    local res = open(app)
    res:receive()
    for i = 1, 10 do topic:publish(i) end
    assert.equal(lost(topic, 7) .. sent(topic, 8, "8") .. sent(topic, 9, "9") .. sent(topic, 10, "10"), res:receive())
    topic:publish "and on"
    assert.equal(sent(topic, 11, "and on"), res:receive())
    res:hangup()
  end)

  it("holds no more for a reader that has stalled than the history has", function()
    local topic, app <close> = served { history = 20 }
    local res = open(app)
    res:receive()
    res.connection:stall()
    for i = 1, 100 do
      topic:publish(("x"):rep(10000))
      if i % 10 == 0 then app.clock:advance(0.1) end
    end
    res.connection:stall(false)
    local bytes = res:receive()
    while not bytes:find "event: lost" do bytes = bytes .. res:receive() end
    assert.is_true(#bytes < 300000, #bytes)
    topic:publish "and on"
    assert.matches("data: and on\n\n$", res:receive())
    res:hangup()
  end)

  it("ends when its client goes", function()
    local topic, app <close> = served()
    local res, finished = open(app), open(app)
    assert.equal(2, following())
    res:hangup()
    assert.equal(1, following())
    finished.connection:finish()
    assert.equal(0, following())
    assert.equal(0, topic:publish "x")
    assert.equal(0, core.stats().tasks)
  end)

  it("ends when the server stops", function()
    local _, app = served()
    open(app)
    app:close()
    assert.equal(0, following())
    assert.equal(0, core.stats().tasks)
  end)

  it("wakes its readers after whoever publishes is done", function()
    local topic, app <close> = served()
    local res = open(app)
    res:receive()
    local order = {}
    topic:publish "a"
    order[1] = res.connection.parser:take()
    topic:publish "b"
    assert.same({ "" }, order)
    assert.equal(sent(topic, 1, "a") .. sent(topic, 2, "b"), res:receive())
    res:hangup()
  end)
end)

describe("topic:poll", function()
  it("answers at once to who knows no id, or with what is kept to one whose id is gone", function()
    local topic, app <close> = served { history = 2 }
    for i = 1, 5 do topic:publish(i) end
    local res = app:get "/poll"
    assert.equal("application/json", res.headers:get "content-type")
    assert.equal("no-store", res.headers:get "cache-control")
    assert.equal(('{"topic":"%s","id":"%s","recovered":false,"messages":[]}'):format(topic.name, topic.id), res.body)
    for _, query in ipairs { "?from=", "?from=nonsense", "?from=" .. id(topic, 1) } do
      assert.same({
        topic = topic.name, id = topic.id, recovered = false,
        messages = { { id = id(topic, 4), data = 4 }, { id = id(topic, 5), data = 5 } },
      }, app:get("/poll" .. query):json())
    end
  end)

  it("answers at once with what was missed", function()
    local topic, app <close> = served()
    topic:publish "seen"
    topic:publish { n = 1 }
    topic:publish 'a "text"'
    assert.same({
      topic = topic.name, id = id(topic, 3), recovered = true,
      messages = { { id = id(topic, 2), data = { n = 1 } }, { id = id(topic, 3), data = 'a "text"' } },
    }, app:get("/poll?from=" .. id(topic, 1)):json())
  end)

  it("waits for what comes next", function()
    local topic, app <close> = served()
    local res = app:get("/poll?from=" .. topic.id, { stream = true })
    assert.equal(1, following())
    assert.same({ nil, "timeout" }, { res:receive(24) })
    assert.equal(1, topic:publish "now")
    local answer = spry.json.decode(res:receive())
    assert.same({ { id = topic.id, data = "now" } }, answer.messages)
    assert.is_true(answer.recovered)
    assert.is_nil(res:receive())
    assert.equal(0, following())
    res:hangup()
  end)

  it("answers with nothing after its timeout", function()
    for _, timeout in ipairs { false, 5, 0 } do
      local topic, app <close> = served(nil, timeout and { timeout = timeout } or nil)
      local before = app.clock.now()
      assert.same({ topic = topic.name, id = topic.id, recovered = true, messages = {} },
        app:get("/poll?from=" .. topic.id):json())
      assert.equal(timeout or 25, math.floor(app.clock.now() - before + 0.5))
    end
  end)

  it("says when it has fallen behind in one step", function()
    local topic, app <close> = served { history = 2 }
    local res = app:get("/poll?from=" .. topic.id, { stream = true })
    for i = 1, 5 do topic:publish(i) end
    local answer = spry.json.decode(res:receive())
    assert.same({ false, topic.id }, { answer.recovered, answer.id })
    assert.same({ { id = id(topic, 4), data = 4 }, { id = id(topic, 5), data = 5 } }, answer.messages)
    res:hangup()
  end)

  it("ends when its client goes, and when the server stops", function()
    local topic, app = served()
    local res = app:get("/poll?from=" .. topic.id, { stream = true })
    res:hangup()
    assert.equal(0, following())
    app:get("/poll?from=" .. topic.id, { stream = true })
    app:close()
    assert.equal(0, following())
    assert.equal(0, core.stats().tasks)
  end)

  it("checks its options", function()
    local _, app <close> = served(nil, { timeout = -1 })
    assert.equal(500, app:get("/poll").status)
    assert.matches("topic:poll: timeout must be a number of seconds, 0 or more, not %-1", app.log[1])
  end)
end)
