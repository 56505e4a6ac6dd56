-- Two servers that share nothing but a Redis: topics, their histories, who is present, and shared tables; also when
-- Redis goes away in the middle.

local json = require "sprylua.json"
local redis_server = require "spec.support.redis_server"
local room = require "spec.support.room"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local ask, connect, join, publish = room.ask, room.connect, room.join, room.publish

local TOPIC = [[
  local spry = require "sprylua"
  local kept = spry.topic("kept", { history = 5 })
  return function() return kept.id end]]

local LARGE = [[
  local spry = require "sprylua"
  spry.topic("large", { history = 1000, bytes = 100 << 20 })
  return function()
    for _, topic in ipairs(spry.topics()) do
      if topic.name == "large" then return { topic.messages } end
    end
  end]]

local SHARED = [=[
  local spry = require "sprylua"
  local values = spry.shared "values"
  return function(event)
    local words = event.request:json()
    local ok, value = pcall(function() return values[words[1]](values, table.unpack(words, 2)) end)
    if not ok then return { raised = tostring(value) } end
    return { value = value, type = math.type(value) }
  end]=]

local redis, first, second

local function serve(arguments)
  local files = {
    ["sprylua.config.lua"] = ("return { redis = %q }"):format(redis.url),
    ["routes/topic.lua"] = TOPIC, ["routes/large.lua"] = LARGE, ["routes/shared.post.lua"] = SHARED,
  }
  for name, text in pairs(room.files) do files[name] = text end
  return server.serve(temp_routes.project(files) .. "/routes", { arguments = arguments })
end

before_each(function()
  redis = redis_server.start()
  first, second = serve(), serve()
end)

after_each(function()
  room.leave()
  first:cleanup()
  second:cleanup()
  redis:cleanup()
end)

local function shared(running, ...) return server.post(running, "/shared", json.encode { ... }):json() end

local function next_message(client) return json.decode(client:frame().payload) end

-- The clients go first: a server that stops waits for their answers.
local function stop_all()
  room.leave()
  server.stop(first)
  server.stop(second)
  for _, running in ipairs { first, second } do assert.is_nil(running:err():find "traceback") end
end

local function restart_redis(forget)
  redis:kill()
  for _, running in ipairs { first, second } do running:says "is not connected" end
  if forget then redis:forget() end
  redis:start()
end

-- Until what the one publishes reaches the other again.
local function flows(from, client)
  local arrived
  from:wait(function()
    publish(from, "news", "ping")
    arrived = arrived or client.received:find "ping"
    server.turn()
    return client.received:find "ping"
  end, "messages")
  return arrived
end

describe("topics over Redis", function()
  it("reach the other server once, and this one once", function()
    local here, there = join(first, "sub news"), join(second, "sub news")
    publish(first, "news", "one")
    publish(first, "news", "two")
    for _, client in ipairs { here, there } do
      assert.equal("one", client:frame().payload)
      assert.equal("two", client:frame().payload)
      local _, between = ask(client, "nothing")
      assert.same({}, between)
    end
    stop_all()
  end)

  it("flow again when Redis has come back, and are delivered here meanwhile", function()
    local here, there = join(first, "sub news"), join(second, "sub news")
    redis:kill()
    first:says "is not connected"
    publish(first, "news", "alone")
    assert.equal("alone", here:frame().payload)
    redis:start()
    flows(first, there)
    assert.is_nil(there.received:find "alone")
    stop_all()
  end)

  it("ignore what others send on the channel", function()
    local there = join(second, "sub news")
    for _, text in ipairs { "''", "nonsense", [["$(printf '\377\377\377\377x')"]] } do
      redis:cli(("publish sprylua:0 %s"):format(text))
    end
    publish(first, "news", "sound")
    assert.equal("sound", there:frame().payload)
    stop_all()
  end)

  it("still go between the workers of one server without Redis", function()
    local many = serve { "-w", "2" }
    local all = {}
    for i = 1, 8 do all[i] = join(many, "sub news") end
    redis:kill()
    many:wait(function()
      local _, times = many:err():gsub("is not connected", "")
      return times >= 4
    end, "the loss")
    publish(many, "news", "local")
    for _, client in ipairs(all) do assert.equal("local", client:frame().payload) end
    server.stop(many)
    many:cleanup()
  end)
end)

describe("a history over Redis", function()
  it("has the same ids, in the same order, in both", function()
    local here, there = join(first, "sub kept"), join(second, "sub kept")
    for i = 1, 4 do publish(i % 2 == 0 and first or second, "kept", tostring(i)) end
    for _ = 1, 4 do assert.same(next_message(here), next_message(there)) end
    assert.equal(first:get "/topic", (second:get "/topic"))
    assert.matches(":4$", (first:get "/topic"))
    stop_all()
  end)

  it("is known to a server that starts later", function()
    local here = join(first, "sub kept")
    for i = 1, 7 do publish(first, "kept", tostring(i)) end
    local ids = {}
    for i = 1, 7 do ids[i] = next_message(here).id end
    local third = serve()
    local late = connect(third)
    local result, messages = ask(late, "from " .. ids[4])
    assert.is_true(result.recovered)
    assert.same({ "5", "6", "7" }, { messages[1].data, messages[2].data, messages[3].data })
    assert.is_false((ask(connect(third), "from " .. ids[1])).recovered)
    server.stop(third)
    third:cleanup()
  end)

  it("goes on where it was when Redis has kept it", function()
    local here, there = join(first, "sub kept"), join(second, "sub kept", "sub news")
    publish(first, "kept", "before")
    local id = next_message(here).id
    next_message(there)
    redis:kill()
    first:says "is not connected"
    publish(first, "kept", "while")
    redis:start()
    local message = next_message(there)
    assert.equal("while", message.data)
    local result, messages = ask(connect(second), "from " .. id)
    assert.is_true(result.recovered)
    assert.same({ message }, messages)
    assert.equal("while", next_message(here).data)
    stop_all()
  end)

  it("outlives the worker that has published while Redis was away", function()
    local many = serve { "-w", "2" }
    local there = join(second, "sub kept")
    redis:kill()
    many:wait(function() return select(2, many:err():gsub("is not connected", "")) >= 4 end, "the loss")
    for i = 1, 4 do publish(many, "kept", tostring(i)) end
    many:signal "HUP"
    many:says "the new code serves"
    redis:start()
    local got = {}
    for i = 1, 4 do got[i] = next_message(there).data end
    table.sort(got)
    assert.same({ "1", "2", "3", "4" }, got)
    assert.same({}, (select(2, ask(there, "nothing"))))
    server.stop(many)
    many:cleanup()
  end)

  it("waits, in its order, while Redis has no room", function()
    local there = join(second, "sub kept")
    redis:cli "config set maxmemory 1"
    for i = 1, 3 do publish(first, "kept", tostring(i)) end
    first:wait(function() return first:err():find "takes no messages at the moment.*OOM" end, "a word about it")
    publish(first, "kept", "4")
    redis:cli "config set maxmemory 0"
    for i = 1, 4 do assert.equal(tostring(i), next_message(there).data) end
    stop_all()
  end)

  it("is handed over by workers that stop", function()
    local many = serve { "-w", "2" }
    local there = join(second, "sub kept")
    redis:kill()
    many:wait(function() return select(2, many:err():gsub("is not connected", "")) >= 4 end, "the loss")
    for i = 1, 4 do publish(many, "kept", tostring(i)) end
    many:signal "TERM"
    redis:start()
    assert.equal(0, many:ended())
    assert.is_nil(many:err():find "it is killed")
    local got = {}
    for i = 1, 4 do got[i] = next_message(there).data end
    table.sort(got)
    assert.same({ "1", "2", "3", "4" }, got)
    many:cleanup()
  end)

  it("takes more at once than the connection does", function()
    local there = join(second, "sub news")
    server.post(first, "/publish?to=kept&times=100", ("x"):rep(900000))
    first:wait(function() return redis:cli "hget sprylua:topic:kept last" == "100" end, "all of it in Redis")
    publish(first, "news", "after")
    assert.equal("after", there:frame().payload)
    assert.matches(":100$", (second:get "/topic"))
    stop_all()
  end)

  it("is read in pieces when it is large", function()
    local text = ("x"):rep(900000)
    server.post(first, "/publish?to=large&times=30", text)
    first:wait(function() return redis:cli "hget sprylua:topic:large last" == "30" end, "all of it in Redis")
    local third = serve()
    assert.same({ 30 }, json.decode((third:get "/large")))
    server.stop(third)
    third:cleanup()
    stop_all()
  end)

  it("begins anew when Redis has lost it, and says so", function()
    local here = join(first, "sub kept")
    publish(first, "kept", "before")
    local id = next_message(here).id
    restart_redis(true)
    publish(first, "kept", "after")
    local message = next_message(here)
    assert.equal("after", message.data)
    assert.matches(":1$", message.id)
    assert.not_equal(id:match "^%x+", message.id:match "^%x+")
    second:wait(function() return second:get "/topic" == message.id end, "the new history")
    local result, messages = ask(connect(second), "from " .. id)
    assert.is_false(result.recovered)
    assert.same({ message }, messages)
    stop_all()
  end)

  it("begins anew when Redis has lost the newest messages", function()
    local here = join(first, "sub kept")
    for i = 1, 3 do publish(first, "kept", tostring(i)) end
    local id
    for _ = 1, 3 do id = next_message(here).id end
    redis:cli "hset sprylua:topic:kept last 1"
    publish(second, "kept", "other")
    local message = next_message(here)
    assert.equal("other", message.data)
    assert.is_false((ask(connect(first), "from " .. id)).recovered)
    stop_all()
  end)

  it("is not stopped by a flush in the middle", function()
    local here = join(first, "sub kept")
    publish(first, "kept", "before")
    local id = next_message(here).id
    redis:cli "flushall"
    publish(second, "kept", "after")
    local message = next_message(here)
    assert.equal("after", message.data)
    assert.not_equal(id:match "^%x+", message.id:match "^%x+")
    stop_all()
  end)
end)

describe("presence over Redis", function()
  local function present(running, names)
    running:wait(function() return running:get "/present" == names end, names .. ", not " .. running:get "/present")
  end

  it("lists those of all servers, and those who were there before", function()
    join(first, "here Ann")
    present(second, "Ann")
    local bob = join(second, "here Bob")
    present(first, "Ann,Bob")
    local third = serve()
    assert.equal("Ann,Bob", (third:get "/present"))
    bob:close()
    present(first, "Ann")
    present(third, "Ann")
    server.stop(third)
    third:cleanup()
    stop_all()
  end)

  it("is told to those who have subscribed", function()
    local there = join(second, "sub room")
    local ann = join(first, "here Ann")
    local message = next_message(there)
    assert.same({ "join", { name = "Ann" } }, { message.presence, message.meta })
    ann:close()
    assert.equal("leave", next_message(there).presence)
    stop_all()
  end)

  it("ends with a server that stops, and with one that is killed", function()
    join(first, "here Ann")
    present(second, "Ann")
    local third = serve()
    join(third, "here Cid")
    present(second, "Ann,Cid")
    server.stop(third)
    present(second, "Ann")
    third:cleanup()
    first:signal "KILL"
    present(second, "")
    server.stop(second)
  end)

  it("ends at once with a worker that is killed, whose server goes on", function()
    local many = serve { "-w", "2" }
    local ann = join(many, "here Ann")
    present(second, "Ann")
    uv.kill(ask(ann, "pid"), "sigkill")
    -- Sooner than what is in Redis expires by itself.
    server.wait(function() return second:get "/present" == "" end, "end of Ann's presence", 3)
    server.stop(many)
    many:cleanup()
  end)

  it("is whole again when Redis has lost it", function()
    join(first, "here Ann")
    present(second, "Ann")
    restart_redis(true)
    join(second, "here Bob")
    present(first, "Ann,Bob")
    present(second, "Ann,Bob")
    stop_all()
  end)
end)

describe("a shared table over Redis", function()
  it("is common to both servers", function()
    assert.same({}, shared(first, "get", "a"))
    for _, value in ipairs { "text", 7, 2.5, true, false, "" } do
      shared(first, "set", "a", value)
      assert.equal(value, shared(second, "get", "a").value)
    end
    assert.is_true(shared(second, "cas", "a", "", "new").value)
    assert.is_false(shared(second, "cas", "a", "", "newer").value)
    assert.equal("new", shared(first, "get", "a").value)
    stop_all()
  end)

  it("counts as Lua does", function()
    assert.same({ value = 1, type = "integer" }, shared(first, "incr", "n"))
    assert.same({ value = 5, type = "integer" }, shared(second, "incr", "n", 4))
    assert.same({ value = 9007199254740993 + 5, type = "integer" }, shared(first, "incr", "n", 9007199254740993))
    shared(first, "set", "f", 0.1)
    assert.same({ value = 0.1 + 0.2, type = "float" }, shared(second, "incr", "f", 0.2))
    assert.is_true(shared(second, "cas", "f", 0.1 + 0.2, 1).value)
    shared(first, "set", "s", "x")
    assert.matches("the value of s is no number", shared(second, "incr", "s").raised)
    stop_all()
  end)

  it("lets values expire", function()
    shared(first, "set", "a", 1, { ttl = 0.05 })
    second:wait(function() return shared(second, "get", "a").value == nil end, "the end of a value")
    shared(first, "set", "b", 1)
    assert.is_true(shared(second, "expire", "b", 0.05).value)
    first:wait(function() return shared(first, "get", "b").value == nil end, "the end of a value")
    assert.is_false(shared(second, "expire", "b", 1).value)
    stop_all()
  end)

  it("raises while Redis is away", function()
    redis:kill()
    first:wait(function()
      return (shared(first, "get", "a").raised or ""):find "shared:get: Redis is not connected"
    end, "an error")
    redis:start()
    first:wait(function() return not shared(first, "get", "a").raised end, "an answer")
    stop_all()
  end)
end)
