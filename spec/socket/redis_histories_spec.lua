-- How much of a history Redis keeps, and how a process reads it when it is large.

local json = require "sprylua.json"
local redis_server = require "spec.support.redis_server"
local room = require "spec.support.room"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local TOPICS = [[
  local spry = require "sprylua"
  spry.topic("small", { history = 100, bytes = 1000 })
  spry.topic("large", { history = 1000, bytes = 100 << 20 })
  return function(event)
    for _, topic in ipairs(spry.topics()) do
      if topic.name == event.query:get "name" then return { topic.messages, (topic.id:match "%d+$") } end
    end
  end]]

local redis, first, second

local function serve()
  local files = {
    ["sprylua.config.lua"] = ("return { redis = %q, limits = { body = 100 << 20 } }"):format(redis.url),
    ["routes/topics.lua"] = TOPICS,
  }
  for name, text in pairs(room.files) do files[name] = text end
  return server.serve(temp_routes.project(files) .. "/routes")
end

before_each(function()
  redis = redis_server.start()
  first = serve()
end)

after_each(function()
  room.leave()
  first:cleanup()
  if second then second:cleanup() end
  second = nil
  redis:cleanup()
end)

local function publish(topic, times, size)
  local answer = server.post(first, ("/publish?to=%s&times=%d"):format(topic, times), ("x"):rep(size))
  assert.equal("ok", answer.body)
end

-- How many messages a server keeps, and the offset of the last.
local function kept_by(running, topic)
  return json.decode((running:get("/topics?name=" .. topic)))
end

-- How many entries Redis has when it has numbered as many as that.
local function kept_in_redis(topic, last)
  first:wait(function() return redis:cli("hget sprylua:topic:" .. topic .. " last") == tostring(last) end, "Redis")
  return redis:cli("xlen sprylua:history:" .. topic)
end

-- What another process has written: entries of a topic that no bound has held.
local function fill(topic, count, size)
  assert.equal("", redis:cli(([["eval" "redis.call('HSET', KEYS[1], 'epoch', 'ab', 'last', %d) for i = 1, %d do
    redis.call('XADD', KEYS[2], i .. '-0', 'encoding', '', 'text', string.rep('x', %d)) end"
    2 sprylua:topic:%s sprylua:history:%s]]):format(count, count, size, topic, topic):gsub("\n *", " ")))
end

local function stop(running)
  server.stop(running)
  assert.is_nil(running:err():find "is not connected")
  assert.is_nil(running:err():find "traceback")
end

describe("a history in Redis", function()
  it("takes no more than its bytes, and holds the newest", function()
    publish("small", 5, 400)
    assert.equal("2", kept_in_redis("small", 5))
    assert.matches("^4%-0", redis:cli "xrange sprylua:history:small - + count 1")
    second = serve()
    assert.same({ 2, "5" }, kept_by(second, "small"))
    stop(first)
    stop(second)
  end)

  it("holds nothing after a message that is larger than that, as in one process", function()
    publish("small", 2, 400)
    publish("small", 1, 1001)
    assert.equal("0", kept_in_redis("small", 3))
    second = serve()
    assert.same({ 0, "3" }, kept_by(second, "small"))
    first:wait(function() return kept_by(first, "small")[2] == "3" end, "the message")
    assert.same({ 0, "3" }, kept_by(first, "small"))
    publish("small", 1, 400)
    assert.equal("1", kept_in_redis("small", 4))
    second:wait(function() return kept_by(second, "small")[2] == "4" end, "the next message")
    assert.same({ 1, "4" }, kept_by(second, "small"))
    stop(first)
    stop(second)
  end)

  it("is bounded again when something has filled it without bounds", function()
    fill("small", 20, 400)
    publish("small", 5, 400)
    assert.equal("2", kept_in_redis("small", 25))
    stop(first)
  end)

  it("is read when somebody has seen more of it than there is here", function()
    local client = room.join(first, "sub kept")
    publish("kept", 1, 5)
    local epoch = json.decode(client:frame().payload).id:match "^%x+"
    redis:cli "hset sprylua:topic:kept last 2"
    redis:cli [[xadd sprylua:history:kept 2-0 encoding "" text unheard]]
    assert.same({ recovered = true, id = epoch .. ":2" }, (room.ask(room.connect(first), "from " .. epoch .. ":2")))
    assert.equal("unheard", json.decode(client:frame().payload).data)
    room.leave()
    stop(first)
  end)

  it("is read in pages of some bytes, however large its messages are", function()
    fill("large", 60, 3000000)
    second = serve()
    assert.same({ 34, "60" }, kept_by(second, "large"))
    stop(second)
  end)

  it("is read without a message that no answer can hold", function()
    fill("large", 1, 130 << 20)
    second = serve()
    assert.same({ 0, "1" }, kept_by(second, "large"))
    stop(second)
  end)

  it("is not given a message that the others could not take", function()
    publish("large", 1, 65 << 20)
    assert.matches("a message of 65 MiB to the topic large is lost: over Redis it is 64 MiB at most", first:err())
    publish("large", 1, 10)
    assert.equal("1", kept_in_redis("large", 1))
    stop(first)
  end)
end)
