-- Everything at once: four workers under load, of which some are killed and all are replaced by new code, clients that
-- take nothing for a while, and a Redis that goes and comes back. Whoever stayed connected gets every message, once;
-- whoever lost his connection gets back what he missed; and in the end nothing is left.

local crowds = require "spec.support.crowd"
local json = require "sprylua.json"
local redis_server = require "spec.support.redis_server"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local SUBSCRIBERS, PUBLISHERS, VISITORS, WORKERS = 40, 8, 4, 4

local FILES = {
  ["routes/room.lua"] = [[
    local spry = require "sprylua"
    spry.topic("kept", { history = 100000, bytes = 1 << 30 })
    return function(event)
      return event.ws:upgrade(function(ws)
        local _, last = ws:receive()
        ws:subscribe "news"
        local subscribed = ws:subscribe("kept", { from = last ~= "" and last or nil })
        if subscribed then ws:sendJson { subscribed = true, recovered = subscribed.recovered, id = subscribed.id } end
        ws.events:drain()
      end)
    end]],
  ["routes/publish.post.lua"] = [[
    local spry, uv = require "sprylua", require "luv"
    return function(event)
      spry.publish(event.query:get "to", event.request:text())
      return tostring(uv.os_getpid())
    end]],
  ["routes/stats.lua"] = [[
    local core, uv = require "sprylua.core", require "luv"
    return function()
      local stats = core.stats()
      stats.pid = uv.os_getpid()
      return stats
    end]],
}

local redis, running, crowd

after_each(function()
  if crowd then crowd:close() end
  if running then running:cleanup() end
  if redis then redis:cleanup() end
  redis, running, crowd = nil, nil, nil
end)

teardown(temp_routes.clean)

local function serve(config)
  FILES["sprylua.config.lua"] = ("return { shutdownTimeout = 3, %s }"):format(config)
  running = server.serve(temp_routes.project(FILES) .. "/routes", { arguments = { "-w", tostring(WORKERS) } })
end

-- ── what happens ────────────────────────────────────────────────────────────

local killed -- by process
local redis_is_away, redis_went

local function kill_a_worker(random)
  local pids = running:children() -- those that leave included
  local victim = pids[random(#pids)]
  crowd:strike()
  killed[victim] = true
  uv.kill(victim, "sigkill")
end

local function stall_a_client(random)
  crowd.subscribers[random(SUBSCRIBERS)]:stall(500 + random(3000))
end

local function bring_in_new_code() running:signal "HUP" end

-- A worker that starts waits for Redis, but not for ever: so Redis is not killed again and again.
local function restart_redis(random)
  if redis_is_away or uv.hrtime() - redis_went < 8e9 then return end
  redis_is_away, redis_went = true, uv.hrtime()
  redis:crash()
  crowd:later(function()
    redis:launch()
    redis_is_away = false
  end, 200 + random(1500))
end

-- For `seconds`, something every now and then.
local function wreak_havoc(seconds, random, disasters)
  local limit = uv.hrtime() + seconds * 1e9
  while uv.hrtime() < limit do
    server.sleep(0.3 + random(1200) / 1000)
    disasters[random(#disasters)](random)
  end
end

-- ── what has become of the messages ─────────────────────────────────────────

-- How many of a publisher's messages must have arrived: those that a worker took which was not killed then.
local function owed(publisher) return killed[publisher.pid] and 0 or publisher.done end

-- What is not there of what a subscriber must get, by the newest of each publisher that it has; nil when nothing is
-- missing. What was published before `begun` need not be there.
local function missing(topic, newest, begun)
  for number, publisher in ipairs(crowd.publishers) do
    local due, got = owed(publisher), newest[number] or 0
    if publisher.topic == topic and due > (begun[number] or 0) and got < due then
      return ("%d of %d messages of publisher %d (worker %d) in %s"):format(got, due, number, publisher.pid, topic)
    end
  end
end

local function missing_of(subscriber)
  local stay = subscriber.stay
  return not subscriber.subscribed and "not subscribed" or missing("kept", subscriber.newest, {})
    or missing("news", stay.newest, stay.begun)
end

local function await_the_rest()
  local what
  local ok = pcall(server.wait, function()
    what = nil
    for i, subscriber in ipairs(crowd.subscribers) do
      what = missing_of(subscriber)
      if what then
        what = ("subscriber %d has %s"):format(i, what)
        return false
      end
    end
    return true
  end, "end", 30)
  if not ok then error(what .. " after 30 s", 0) end
end

-- There are a million messages to look at: too many for luassert.
local function expect(condition, sentence, ...)
  if not condition then error(sentence:format(...), 0) end
end

-- Each message of a publisher, which come in its order: none is there twice, none is missing in between. `begun` says
-- what was published before the first that must be there; nil: nobody knows.
local function check_sequence(messages, begun)
  local count = {}
  for _, message in ipairs(messages) do
    local publisher, number = message[1], message[2]
    local before = count[publisher]
    if before then
      expect(number == before + 1, "after message %d of publisher %d comes %d", before, publisher, number)
    elseif begun then
      expect(number <= (begun[publisher] or 0) + 1, "the first of publisher %d is %d", publisher, number)
    end
    count[publisher] = number
  end
end

-- Over all its connections a subscriber has every message of the topic with a history, in the order of all.
local function check_kept(subscriber, order)
  check_sequence(subscriber.kept, {})
  for i, message in ipairs(subscriber.kept) do
    order[i] = order[i] or message.id
    expect(order[i] == message.id, "where others have %s, one has %s", order[i], message.id)
  end
end

local function check_messages()
  crowd:settle()
  server.wait(function() return crowd.waiting == 0 end, "answers to the last requests")
  await_the_rest()
  server.sleep(0.5) -- what should not come any more has its chance
  expect(#crowd.complaints == 0, "there are complaints")
  local order = {}
  for _, subscriber in ipairs(crowd.subscribers) do
    check_kept(subscriber, order)
    for _, stay in ipairs(subscriber.stays) do check_sequence(stay.news, stay.begun) end
  end
  expect(#order > 500, "there were only %d messages", #order)
end

-- ── what is left ────────────────────────────────────────────────────────────

local IDLE = { connections = 1, sessions = 0, tasks = 1, buffered = 0, topics = 0, subscriptions = 0 }

-- What a worker has besides the request that asks it; "" when that is all.
local function rest_of(stats)
  local rest = {}
  for name, value in pairs(IDLE) do
    if stats[name] ~= value then rest[#rest + 1] = ("%s = %s"):format(name, stats[name]) end
  end
  return table.concat(rest, ", ")
end

-- Whoever answers is one of those that serve; the kernel chooses.
local function check_nothing_is_left()
  crowd:close()
  local rests, children = {}, nil
  local ok = pcall(server.wait, function()
    local stats = json.decode(server.get(running, "/stats").body)
    rests[stats.pid] = rest_of(stats)
    children = running:children()
    for _, pid in ipairs(children) do
      if rests[pid] ~= "" then return false end
    end
    return #children == WORKERS
  end, "workers that have nothing left", 30)
  if ok then return end
  local sentences = {}
  for i, pid in ipairs(children) do sentences[i] = ("process %d: %s"):format(pid, rests[pid] or "did not answer") end
  error(("%d workers:\n%s\n%s"):format(#children, table.concat(sentences, "\n"), running:err()), 0)
end

local function play(seconds, disasters)
  local seed = os.time()
  local state = seed
  local function random(n)
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return (state >> 8) % n + 1
  end
  killed, redis_is_away, redis_went = {}, false, 0
  crowd = crowds.gather(running.port, random, SUBSCRIBERS)
  server.wait(function() return crowd:isListening() end, "subscribers")
  crowd:start(PUBLISHERS, VISITORS)
  wreak_havoc(seconds, random, disasters)
  server.wait(function() return not redis_is_away end, "Redis")
  local ok, problem = pcall(check_messages)
  if not ok then error(("with the seed %d: %s\n%s\n%s"):format(seed, problem, table.concat(crowd.complaints, "\n"),
    running:err()), 0) end
  check_nothing_is_left()
  server.stop(running)
end

describe("chaos", function()
  it("loses and doubles no message between workers", function()
    serve "limits = {}"
    play(20, { kill_a_worker, kill_a_worker, bring_in_new_code, stall_a_client, stall_a_client })
  end)

  it("loses and doubles no message over a Redis that comes and goes", function()
    redis = redis_server.start()
    serve(("redis = %q"):format(redis.url))
    play(60, { kill_a_worker, bring_in_new_code, restart_redis, stall_a_client, stall_a_client })
  end)
end)
