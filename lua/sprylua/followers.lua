-- Those who read a topic without a WebSocket: streams of server-sent events, and long polls. Each has only its place in
-- the history, so that a slow one costs no memory; one that falls behind the history is told that it has lost messages.

local json = require "sprylua.json"
local response = require("sprylua.response").Response
local signal = require "sprylua.signal"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Followers
---@field count integer streams and polls that are under way
local Followers = {}
Followers.__index = Followers

---@param name string the topic's
---@param history sprylua.History
---@return sprylua.Followers
function M.new(name, history)
  return setmetatable({ name = name, history = history, changed = signal.new(), count = 0 }, Followers)
end

---There is a new message.
function Followers:notify()
  self.changed:notify()
end

-- Counts one follower until the end of its block.
local function follow(self)
  self.count = self.count + 1
  return tasks.defer(function()
    self.count = self.count - 1
  end)
end

local function wait_behind(self, at, timeout)
  return self.changed:wait(function()
    return self.history.last > at
  end, timeout)
end

-- ── server-sent events ──────────────────────────────────────────────────────

-- What a client gets when messages that it should have had are gone.
local function lost(self)
  local id = self.history:id()
  return { event = "lost", id = id, data = ('{"topic":%s,"recovered":false,"id":"%s"}'):format(
    json.encode(self.name), id) }
end

-- The event behind `at`, and where the reader is when he has it.
local function event_behind(self, at)
  local history = self.history
  if not history:reaches(at) then
    return lost(self), history.last
  end
  return { id = history:id(at + 1), data = history:text(at + 1) }, at + 1
end

---@param event table
---@return sprylua.Response
function Followers:events(event)
  local from = event.headers:get "last-event-id" or event.query:get "from"
  local history = self.history
  local found = from and history:find(from)
  local at = found or history.last
  -- An id without data is no event for the page, but the browser remembers it, and comes back with it.
  local first = from and not found and lost(self) or { id = history:id(at) }
  return response.events(function(send)
    local _ <close> = follow(self)
    local going = send(first)
    while going do
      wait_behind(self, at)
      local message
      message, at = event_behind(self, at)
      going = send(message)
    end
  end)
end

-- ── long polling ────────────────────────────────────────────────────────────

local function messages_behind(history, at)
  local list = {}
  for offset = at + 1, history.last do
    list[#list + 1] = ('{"id":"%s","data":%s}'):format(history:id(offset), history:json(offset))
  end
  return table.concat(list, ",")
end

local function answer(self, at)
  local history = self.history
  local recovered = at ~= nil and history:reaches(at)
  return ('{"topic":%s,"id":"%s","recovered":%s,"messages":[%s]}'):format(
    json.encode(self.name), history:id(), recovered, recovered and messages_behind(history, at) or "")
end

local INIT = { headers = { ["content-type"] = "application/json", ["cache-control"] = "no-store" } }

---@param event table
---@param timeout number seconds
---@return sprylua.Response
function Followers:poll(event, timeout)
  local from = event.query:get "from"
  local at = from and self.history:find(from)
  if not at or at < self.history.last then
    return response(answer(self, at), INIT)
  end
  -- A stream, which ends where it waits when its client goes, or the server stops.
  local made = response.stream(function(write)
    local _ <close> = follow(self)
    wait_behind(self, at, timeout)
    write(answer(self, at))
  end, INIT)
  made.live = true
  return made
end

return M
