-- Topics in the core: who gets what is published, in which order, and what is left when a session ends.

local cases = require "spec.support.ws_cases"
local core = require "sprylua.core"

local topic = core.topic
local text, close, from_server, closed = cases.text, cases.close, cases.from_server, cases.closed

local KIB = 1024

-- `n` clients of one app; `subscribe` names the topics of each.
local function clients(n, options, ...)
  local app, list = cases.app(nil, options), {}
  for i = 1, n do
    list[i] = cases.open(app)
    for _, name in ipairs { ... } do assert.is_true(topic.subscribe(list[i].seen.ws, name)) end
  end
  return list, app, setmetatable({}, { __close = function()
    for _, client in ipairs(list) do client:hangup() end
  end })
end

local function publish(app, ...)
  local receivers = assert(topic.publish(...))
  app.core:settle()
  return receivers
end

local function counts()
  local stats = core.stats()
  return { stats.topics, stats.subscriptions }
end

describe("a message that is published", function()
  it("reaches all who have subscribed, and nobody else", function()
    local list, app, _ <close> = clients(3, nil, "news")
    local other <close> = cases.open(app)
    assert.equal(3, publish(app, "news", "hello"))
    assert.equal(2, publish(app, "news", "\0\255", true, list[2].seen.ws))
    assert.equal(0, publish(app, "olds", "hello"))
    for i, client in ipairs(list) do
      local bytes = i == 2 and "" or from_server("binary", "\0\255")
      assert.equal(from_server("text", "hello") .. bytes, client:take())
    end
    assert.equal("", other:take())
  end)

  it("is framed at every length as a message of the session's own", function()
    for _, size in ipairs { 0, 1, 125, 126, 65535, 65536, 300 * KIB } do
      local list, app, _ <close> = clients(2, nil, "t")
      publish(app, "t", ("x"):rep(size))
      assert.is_true(from_server("text", ("x"):rep(size)) == list[2]:take(), "at " .. size)
    end
  end)

  it("keeps its order, also among what the session itself sends", function()
    local list, app, _ <close> = clients(2, nil, "a", "b")
    local expected = {}
    for i = 1, 500 do
      topic.publish(i % 2 == 0 and "a" or "b", "published " .. i)
      list[1].seen.ws:sendText("sent " .. i)
      expected[2 * i - 1], expected[2 * i] = from_server("text", "published " .. i), from_server("text", "sent " .. i)
    end
    app.core:settle()
    assert.is_true(table.concat(expected) == list[1]:take())
  end)

  it("is not written before the connection settles, and then all in one", function()
    local list, app, _ <close> = clients(2, nil, "t")
    for i = 1, 50 do topic.publish("t", "message " .. i) end
    for _, client in ipairs(list) do
      assert.equal("", client:take())
      assert.is_true(client.seen.ws.bufferedAmount > 50 * 10)
    end
    app.core:settle()
    for _, client in ipairs(list) do
      assert.equal(50, #client:frames())
      assert.equal(0, client.seen.ws.bufferedAmount)
    end
  end)

  it("crosses from one app to another", function()
    local list, app, _ <close> = clients(1, nil, "t")
    local others, other, _ <close> = clients(1, nil, "t")
    assert.equal(2, publish(app, "t", "x"))
    other.core:settle()
    assert.equal(from_server("text", "x"), list[1]:take())
    assert.equal(from_server("text", "x"), others[1]:take())
  end)

  it("is refused when it is no text, or its topic no name", function()
    assert.same({ nil, "a text is UTF-8: publish other bytes with { binary = true }" }, { topic.publish("t", "\255") })
    for _, name in ipairs { "", ("x"):rep(256), "\255", 12, true, {} } do
      local receivers, problem = topic.publish(name, "x")
      assert.is_nil(receivers)
      assert.matches("^the name of a topic", problem)
    end
    assert.equal(0, topic.publish(("x"):rep(255), "x"))
    assert.equal(0, topic.publish("with \0 in it", "x"))
    assert.error(function() topic.publish("t", {}) end)
    assert.error(function() topic.publish("t", "x", false, {}) end)
    assert.error(function() topic.subscribe({}, "t") end)
  end)
end)

describe("a subscription", function()
  it("is one, however often it is made", function()
    local list, app, _ <close> = clients(1, nil, "t")
    assert.is_false(topic.subscribe(list[1].seen.ws, "t"))
    assert.equal(1, publish(app, "t", "x"))
    assert.is_true(topic.unsubscribe(list[1].seen.ws, "t"))
    assert.is_false(topic.unsubscribe(list[1].seen.ws, "t"))
    assert.equal(0, publish(app, "t", "y"))
    assert.equal(from_server("text", "x"), list[1]:take())
    assert.same({ 0, 0 }, counts())
  end)

  it("tells names apart by all of their bytes", function()
    local list, app, _ <close> = clients(1, nil, "a\0b", "ab", "a\0c")
    assert.same({ 3, 3 }, counts())
    assert.equal(0, publish(app, "a", "x"))
    assert.equal(1, publish(app, "a\0b", "x"))
    assert.equal(from_server("text", "x"), list[1]:take())
  end)

  local ends = {
    ["closes"] = function(client) client.seen.ws:close(1000) end,
    ["is closed by its peer"] = function(client) client:send(close(1000)) end,
    ["is lost"] = function(client) client.peer:hangup() end,
    ["breaks the protocol"] = function(client) client:send(cases.frame(11, "")) end,
  }
  for how, finish in pairs(ends) do
    it("ends when its session " .. how, function()
      local list, app, _ <close> = clients(2, nil, "t", "u")
      finish(list[1])
      assert.same({ 2, 2 }, counts())
      assert.equal(1, publish(app, "t", "x"))
      assert.same({ nil, "closed" }, { topic.subscribe(list[1].seen.ws, "t") })
      assert.is_false(topic.unsubscribe(list[1].seen.ws, "t"))
      finish(list[2])
      assert.same({ 0, 0 }, counts())
    end)
  end

  it("ends with a session that does not notice its end", function()
    local app = cases.app(function(ws, seen)
      topic.subscribe(ws, "t")
      seen.thread = coroutine.running()
      coroutine.yield()
    end)
    local client <close> = cases.open(app)
    assert.same({ 1, 1 }, counts())
    client.peer:hangup()
    assert.same({ 0, 0 }, counts())
    assert.equal(1, app.core:stats().tasks)
    assert(coroutine.resume(client.seen.thread))
  end)

  it("ends with a session that raises after it", function()
    local app = cases.app(function(ws)
      topic.subscribe(ws, "t")
      error "no"
    end)
    local client <close> = cases.open(app)
    assert.equal(closed(1011), client:take())
    assert.same({ 0, 0 }, counts())
  end)

  it("may be one of a thousand", function()
    local list, app, _ <close> = clients(2)
    for i = 1, 1000 do
      for _, client in ipairs(list) do topic.subscribe(client.seen.ws, "topic " .. i) end
    end
    assert.same({ 1000, 2000 }, counts())
    for i = 1, 1000 do assert.equal(2, topic.publish("topic " .. i, tostring(i))) end
    app.core:settle()
    local got = list[1]:frames()
    for i = 1, 1000 do assert.equal(tostring(i), got[i].payload) end
    for i = 1, 1000, 2 do assert.is_true(topic.unsubscribe(list[1].seen.ws, "topic " .. i)) end
    assert.same({ 1000, 1500 }, counts())
    for i = 1, 1000 do assert.equal(1 + (i + 1) % 2, topic.publish("topic " .. i, "x")) end
    list[2]:hangup()
    assert.same({ 500, 500 }, counts())
  end)

  it("may be one of a hundred thousand topics", function()
    local list, app, _ <close> = clients(100)
    for i = 1, 100000 do topic.subscribe(list[i % 100 + 1].seen.ws, "topic " .. i) end
    assert.same({ 100000, 100000 }, counts())
    for i = 1, 100000, 997 do assert.equal(1, publish(app, "topic " .. i, tostring(i))) end
    local names = topic.list()
    assert.equal(1, names["topic 99999"])
    for i = 1, 99 do list[i]:hangup() end
    assert.same({ 1000, 1000 }, counts())
    local left = 0
    for name, subscribers in pairs(topic.list()) do
      left = left + subscribers
      assert.is_truthy(names[name])
    end
    assert.equal(1000, left)
    for i = 99, 100000, 100 do topic.unsubscribe(list[100].seen.ws, "topic " .. i) end
    assert.same({ 0, 0 }, counts())
  end)
end)

describe("a subscriber that is slow", function()
  local N, SIZE, ROUNDS = 100, KIB, 2000
  local message = ("x"):rep(SIZE - 4)

  -- One of a hundred does not read; whoever publishes lets the loop go round after each batch.
  local function flood(options)
    local list, app, closing = clients(N, options, "t")
    local slow = list[1].seen.ws
    list[1].peer:stall(true)
    local most, received, bytes = 0, 0, { 0, 0 }
    for i = 1, ROUNDS do
      received = received + topic.publish("t", ("%04d"):format(i) .. message)
      if i % 10 == 0 then
        app.core:settle()
        for k = 2, N do bytes[k] = (bytes[k] or 0) + #list[k]:take() end
        most = math.max(most, slow.bufferedAmount)
      end
    end
    for k = 2, N do assert.equal(ROUNDS * (SIZE + 4), bytes[k]) end
    return list[1], slow, most, received - ROUNDS * (N - 1), app, closing
  end

  it("is closed with 1013, and the others get everything", function()
    local client, slow, most, received, _, _ <close> = flood { maxBuffered = 256 * KIB }
    assert.is_true(slow.closed)
    assert.is_true(most <= 256 * KIB + 2 * SIZE, most)
    local got = client:frames()
    assert.equal(received + 1, #got)
    for i = 1, received do assert.equal(("%04d"):format(i), got[i].payload:sub(1, 4)) end
    assert.equal(closed(1013, "too slow"), from_server("close", got[#got].payload))
    assert.equal(99, core.stats().subscriptions)
    assert.equal(1, slow.dropped)
  end)

  it("loses messages that are counted with onSlow = \"drop\", and the others get everything", function()
    local client, slow, most, received, app, _ <close> = flood { maxBuffered = 256 * KIB, onSlow = "drop" }
    assert.is_false(slow.closed)
    assert.is_true(most <= 256 * KIB + 2 * SIZE, most)
    assert.equal(ROUNDS - received, slow.dropped)
    assert.equal(received, #client:frames())
    client.peer:stall(false)
    assert.equal(N, publish(app, "t", "and on"))
    assert.equal(from_server("text", "and on"), client:take())
    client:hangup()
    assert.equal(ROUNDS - received, slow.dropped)
  end)

  it("is not one whose messages were published in a burst", function()
    for _, most in ipairs { 100 * KIB, 20 * KIB, 1 } do
      local list, app, _ <close> = clients(2, { maxBuffered = most }, "t")
      for _ = 1, 500 do topic.publish("t", message) end
      app.core:settle()
      assert.equal(500, #list[1]:frames())
      assert.equal(0, list[1].seen.ws.dropped)
    end
  end)

  it("may be every one of them, in one publishing", function()
    local list, app, _ <close> = clients(5, { maxBuffered = 10 * KIB }, "t")
    for _, client in ipairs(list) do client.peer:stall(true) end
    local received = 0
    for _ = 1, 20 do received = received + topic.publish("t", ("x"):rep(10 * KIB)) end
    assert.same({ 0, 0 }, counts())
    app.core:settle()
    for _, client in ipairs(list) do assert.equal(received / 5 + 1, #client:frames()) end
  end)
end)

describe("a session that hears", function()
  -- Every session subscribes, and does with each text what it is told.
  local function reacting(react)
    local app = cases.app(function(ws, seen)
      topic.subscribe(ws, "t")
      for kind, data in ws.events do
        if kind == "text" then react(ws, data, seen) end
      end
    end)
    return app, cases.open(app), cases.open(app), cases.open(app)
  end

  it("may publish, unsubscribe, close and raise at any time", function()
    local app, a, b, c = reacting(function(ws, data)
      topic.publish("t", data .. " 1")
      if data == "leave" then topic.unsubscribe(ws, "t") end
      if data == "close" then ws:close(4000) end
      topic.publish("t", data .. " 2")
      if data == "raise" then error "as told" end
    end)
    assert.equal(from_server("text", "leave 1"), a:send(text "leave"))
    local close_seen = b:send(text "close")
    assert.equal(from_server("text", "leave 1") .. from_server("text", "leave 2") .. from_server("text", "close 1")
      .. closed(4000), close_seen)
    local raised = c:send(text "raise")
    assert.is_truthy(raised:find(from_server("text", "raise 1") .. from_server("text", "raise 2")
      .. closed(1011), 1, true))
    assert.equal(1, #app.errors)
    assert.same({ 0, 0 }, counts())
    for _, client in ipairs { a, b, c } do client:hangup() end
  end)

  it("may be told by another's end, which may subscribe and publish too", function()
    local app = cases.app(function(ws, seen)
      topic.subscribe(ws, "t")
      topic.atClose(ws, function()
        seen.at_close = { topic.subscribe(ws, "u") }
        topic.publish("t", "gone")
      end)
      ws.events:drain()
    end)
    local a, b <close> = cases.open(app), cases.open(app)
    a:hangup()
    assert.equal(from_server("text", "gone"), b:take())
    assert.same({ nil, "closed" }, a.seen.at_close)
    assert.same({ 1, 1 }, counts())
  end)

  it("is known to lose messages or not", function()
    for _, policy in ipairs { "drop", "close" } do
      local client = cases.open(cases.app(nil, { onSlow = policy }))
      assert.equal(policy == "drop", topic.drops(client.seen.ws))
      client:hangup()
      assert.is_false(topic.drops(client.seen.ws))
    end
    assert.has_error(function() topic.drops(topic) end)
  end)

  it("hears of its end once, at the moment it can't send any more", function()
    local told, at = 0, nil
    local app = cases.app(function(ws)
      assert.is_true(topic.atClose(ws, function()
        told = told + 1
        error "nobody minds"
      end))
      ws:close(1000)
      at = told
      ws.events:drain()
      assert.same({ nil, "closed" }, { topic.atClose(ws, print) })
    end)
    local client = cases.open(app)
    assert.equal(0, at)
    assert.equal(1, told)
    client:send(close(1000))
    client:hangup()
    assert.equal(1, told)
    assert.equal(1, #app.errors)
  end)
end)
