-- Who is present in a topic: sessions that were tracked, with what they want known of themselves. Those who have
-- subscribed to the topic hear of everyone who joins and leaves; the end of a session is a leave.

local backbone = require "sprylua.backbone"
local clock = require "sprylua.clock"
local core = require "sprylua.core"
local json = require "sprylua.json"

local M = {}

---@class sprylua.Presence
---@field key string the id of the ws
---@field meta string as JSON, so that nobody can change it afterwards
---@field order number when it joined: those first who have been there longest

---@type table<string, table<table, sprylua.Presence>> topic → ws → what is known
local present = {}

---@type table<table, table<string, true>> ws → its topics, until it is closed
local tracked = {}

---@type table<string, table<string, sprylua.Presence>> topic → key → of the other processes' sessions
local elsewhere = {}

local function tell(name, what, presence)
  core.topic.publish(name, ('{"topic":%s,"presence":"%s","key":%s,"meta":%s}'):format(
    json.encode(name), what, json.encode(presence.key), presence.meta))
end

local function forget(ws, name)
  local here = present[name]
  local presence = here and here[ws]
  if presence then
    here[ws] = nil
    present[name] = next(here) and here
  end
  return presence
end

local function tell_leave(name, presence)
  backbone.tell("leave", name, presence.key)
  tell(name, "leave", presence)
end

-- All is forgotten before anything is told, which may fail when memory runs out.
local function leave_all(ws)
  local gone = {}
  for name in pairs(tracked[ws]) do
    gone[name] = forget(ws, name)
  end
  tracked[ws] = nil
  for name, presence in pairs(gone) do
    tell_leave(name, presence)
  end
end

-- The topics of a ws; the first time, its end is listened for. nil, "closed".
local function topics_of(ws)
  if tracked[ws] then
    return tracked[ws]
  end
  local ok, problem = core.topic.atClose(ws, function()
    leave_all(ws)
  end)
  if not ok then
    return nil, problem
  end
  tracked[ws] = {}
  return tracked[ws]
end

---@param ws table
---@param name string
---@param meta any
---@return boolean? tracked
---@return string? problem "closed", or what the caller has done wrong
function M.track(ws, name, meta)
  local _, problem = core.topic.check(name)
  if problem then
    return nil, problem
  end
  local ok, text = pcall(json.encode, meta == nil and json.object {} or meta)
  if not ok then
    return nil, "ws:track: the meta: " .. tostring(text)
  elseif ws.closed then
    return nil, "closed"
  end
  local topics
  topics, problem = topics_of(ws)
  if not topics then
    return nil, problem
  end
  local here = present[name] or {}
  present[name], topics[name] = here, true
  local presence = { key = ws.id, meta = text, order = here[ws] and here[ws].order or clock.now() }
  here[ws] = presence
  backbone.tell("join", name, presence.key, text, tostring(presence.order))
  tell(name, "join", presence)
  return true
end

---@param ws table
---@param name string
---@return boolean
function M.untrack(ws, name)
  local presence = forget(ws, name)
  if not presence then
    return false
  end
  tracked[ws][name] = nil
  tell_leave(name, presence)
  return true
end

-- ── those of other processes ────────────────────────────────────────────────

local function know(name, key, meta, order)
  local there = elsewhere[name] or {}
  elsewhere[name] = there
  there[key] = { key = key, meta = meta, order = tonumber(order) }
  return there[key]
end

backbone.on("present", know)

backbone.on("join", function(name, key, meta, order)
  tell(name, "join", know(name, key, meta, order))
end)

backbone.on("leave", function(name, key)
  local there = elsewhere[name]
  local presence = there and there[key]
  if presence then
    there[key] = nil
    elsewhere[name] = next(there) and there
    tell(name, "leave", presence)
  end
end)

---Who is present in a topic, those first who have been there longest.
---@param name string
---@return { key: string, meta: any }[]
function M.list(name)
  local _, problem = core.topic.check(name)
  if problem then
    error(problem, 2)
  end
  local sorted, list = {}, {}
  for _, known in ipairs { present[name] or {}, elsewhere[name] or {} } do
    for _, presence in pairs(known) do
      sorted[#sorted + 1] = presence
    end
  end
  table.sort(sorted, function(a, b)
    return a.order < b.order
  end)
  for i, presence in ipairs(sorted) do
    list[i] = { key = presence.key, meta = json.decode(presence.meta) }
  end
  return list
end

return M
