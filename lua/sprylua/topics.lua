-- Topics for route authors: subscribing a ws, publishing from anywhere, and looking at what there is. Who is subscribed
-- is kept in C; what has a history, in sprylua.topic_record.

local core = require "sprylua.core"
local options = require "sprylua.options"
local presence = require "sprylua.presence"
local publish = require "sprylua.publish"
local records = require "sprylua.topic_record"
local tasks = require "sprylua.tasks"
local topic = require "sprylua.topic"

local M = { topic = topic.topic, presence = presence.list }

-- ── for everybody ───────────────────────────────────────────────────────────

---Publishes to all who have subscribed: a string as a text, any other value as JSON.
---@param name string
---@param data any
---@param opts { binary: boolean? }? `binary = true`: the string goes out as a binary message
---@return integer receivers in this process
function M.publish(name, data, opts)
  local receivers, problem = publish.distribute(name, data, opts)
  return receivers or error(problem, 2)
end

---@class sprylua.TopicInfo
---@field name string
---@field subscribers integer sessions
---@field followers integer? streams of events and long polls, of a topic with a history
---@field messages integer? that are kept
---@field id string? of the last one

---Every topic that somebody has subscribed to or that was declared, by name.
---@return sprylua.TopicInfo[]
function M.topics()
  local list, seen = {}, core.topic.list()
  for name, record in pairs(records.all()) do
    local history = record.history
    list[#list + 1] = {
      name = name, subscribers = seen[name] or 0, followers = record.followers.count,
      messages = history.last - history.first + 1, id = history:id(),
    }
    seen[name] = nil
  end
  for name, subscribers in pairs(seen) do
    list[#list + 1] = { name = name, subscribers = subscribers }
  end
  table.sort(list, function(a, b)
    return a.name < b.name
  end)
  return list
end

-- ── a session's ─────────────────────────────────────────────────────────────

---@class sprylua.Subscribed
---@field recovered boolean everything published since `from` has been, or is now, on its way
---@field id string? of the topic's last message, when it has a history; not recovered: what comes is behind it

-- Where a subscriber stands before he gets anything, and the place in the history from which he gets what he missed;
-- no place when nothing is to be replayed.
local function position(record, from)
  if not record then
    return { recovered = false }
  end
  local history = record.history
  if from == nil then
    return { recovered = false, id = history:id() }
  end
  local recovered, at = history:resume(from)
  return { recovered = recovered, id = history:id(not recovered and at or nil) }, at
end

-- Replays that are under way, by ws and topic: whoever has one counts as subscribed.
---@type table<table, table<string, { ended: boolean? }>>
local replays = setmetatable({}, { __mode = "k" })

local function replay_of(ws, name)
  local set = replays[ws]
  return set and set[name]
end

local function begin_replay(ws, name)
  local set = replays[ws] or {}
  replays[ws] = set
  local this = {}
  set[name] = this
  return this, tasks.defer(function()
    if set[name] == this then
      set[name] = nil
    end
  end)
end

-- Sends what is behind `at`, message by message as the client takes them, so that it is not taken for a slow one. What
-- is published meanwhile goes into the history, and comes in its turn. False: it has come to no end.
local function replay(ws, record, at, lost)
  local this, ending = begin_replay(ws, record.name)
  local _ <close> = ending
  local history = record.history
  while at < history.last do
    if not ws:flush() or this.ended then
      return false
    end
    if not history:reaches(at) then
      at = history.first - 1
      lost(history:id(at))
    elseif ws:sendText(record:envelope(at + 1)) == nil then
      return false
    else
      at = at + 1
    end
  end
  return true
end

local function is_subscribed(ws, name)
  local subscribed, problem = core.topic.has(ws, name)
  if subscribed == false and replay_of(ws, name) then
    return true
  end
  return subscribed, problem
end

-- From here on what is published is sent at once. Nothing has run since the replay has come to its end.
local function subscribe(ws, name, subscribed, record)
  local new, problem = core.topic.subscribe(ws, name)
  if new == nil then
    return nil, problem
  end
  if subscribed.recovered then
    subscribed.id = record.history:id()
  end
  return subscribed
end

---Replays what was missed, as long as that takes, and subscribes.
---@param ws table
---@param name string
---@param from any the last id that the client has seen; nil for no replay
---@param tell fun(subscribed: sprylua.Subscribed)? called before what is replayed, and again when some of it is lost
---@return sprylua.Subscribed? subscribed
---@return string? problem "closed", "unsubscribed" meanwhile, or what the caller has done wrong
function M.join(ws, name, from, tell)
  local record = records.find(name)
  if record then
    records.await(name, from)
  end
  local before, problem = is_subscribed(ws, name)
  if before == nil then
    return nil, problem
  end
  tell = tell or function() end
  local subscribed, at = position(record, not before and from or nil)
  tell(subscribed)
  if before then
    return subscribed
  elseif at and not replay(ws, record, at, function(id)
    subscribed.recovered, subscribed.id = false, id
    tell(subscribed)
  end) then
    return nil, ws.closed and "closed" or "unsubscribed"
  end
  return subscribe(ws, name, subscribed, record)
end

local methods = {}
M.methods = methods

local SUBSCRIBE = { from = options.rule("an id, as a string", function()
  return true -- whatever a client has sent: what is no id recovers nothing
end) }

---Subscribes to a topic, until it is unsubscribed or the session ends. Subscribing twice is subscribing once.
---@param name string
---@param opts { from: string? }? the last id that the client has seen: what was published since is sent first, at the
--- client's pace, which may take a while
---@return sprylua.Subscribed? subscribed
---@return string? problem "closed", or "unsubscribed" by another coroutine during the replay
function methods.subscribe(ws, name, opts)
  local settings = options.read("ws:subscribe", opts, SUBSCRIBE)
  local subscribed, problem = M.join(ws, name, settings.from)
  if subscribed then
    return subscribed
  end
  if problem ~= "closed" and problem ~= "unsubscribed" then
    error(problem, 2)
  end
  return nil, problem
end

---@param name string
---@return boolean whether it was subscribed
function methods.unsubscribe(ws, name)
  local was, problem = core.topic.unsubscribe(ws, name)
  if problem then
    error(problem, 2)
  end
  local under_way = replay_of(ws, name)
  if under_way then
    under_way.ended, replays[ws][name] = true, nil
  end
  return was or under_way ~= nil
end

---As spry.publish, to everybody but this ws.
---@param name string
---@param data any
---@param opts { binary: boolean? }?
---@return integer receivers
function methods.publish(ws, name, data, opts)
  local receivers, problem = publish.distribute(name, data, opts, ws)
  return receivers or error(problem, 2)
end

---Notes that this session is present in a topic, and tells its subscribers. `meta` is whatever they should know; a
---second call replaces it. The end of the session is noted by itself.
---@param name string
---@param meta any a value for JSON
---@return boolean? tracked
---@return string? problem "closed"
function methods.track(ws, name, meta)
  local tracked, problem = presence.track(ws, name, meta)
  if problem and problem ~= "closed" then
    error(problem, 2)
  end
  return tracked, problem
end

---@param name string
---@return boolean whether it was tracked
function methods.untrack(ws, name)
  return presence.untrack(ws, name)
end

return M
