-- Those who read a topic without a WebSocket: streams of server-sent events, and long polls. Each has only its place in
-- the history, so that a slow one costs no memory; one that falls behind the history is told that it has lost messages.

local json = require "sprylua.json"
local response = require("sprylua.response").Response
local signal = require "sprylua.signal"
local sse = require "sprylua.sse"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Followers
---@field count integer streams and polls that are under way
---@field ending boolean? the server stops
local Followers = {}
Followers.__index = Followers

---@param name string the topic's
---@param history sprylua.History
---@return sprylua.Followers
function M.new(name, history)
  return setmetatable({ name = name, history = history, changed = signal.new(), count = 0 }, Followers)
end

---Nobody is to wait any more: the server stops. Polls are answered with what there is.
function Followers:finish()
  self.ending = true
  self.changed:notify()
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

-- ── server-sent events ──────────────────────────────────────────────────────

-- What a client gets when messages that it should have had are gone: it goes on behind `at`.
local function lost(self, at)
  local id = self.history:id(at)
  local data = ('{"topic":%s,"recovered":false,"id":"%s"}'):format(json.encode(self.name), id)
  return (sse.format { event = "lost", id = id, data = data })
end

-- Nearly all readers are at the same place, so the text of an event is made once for them.
local function event_at(self, offset)
  if self.written ~= offset then
    local history = self.history
    self.text = sse.format { id = history:id(offset), data = history:text(offset) }
    self.written = offset
  end
  return self.text
end

-- The event behind `at`, and where the reader is when he has it.
local function event_behind(self, at)
  local history = self.history
  if not history:reaches(at) then
    return lost(self, history.first - 1), history.first - 1
  end
  return event_at(self, at + 1), at + 1
end

---@param from string? the last id that the client has seen
---@return sprylua.Response
function Followers:events(from)
  local history = self.history
  local recovered, at = history:resume(from)
  -- An id without data is no event for the page, but the browser remembers it, and comes back with it.
  local first = from and not recovered and lost(self, at) or sse.format { id = history:id(at) }
  local function has_more()
    return history.last > at
  end
  local function send_all(send)
    local _ <close> = follow(self)
    local place <close> = self.changed:place()
    local going = send(first)
    while going do
      place:wait(has_more)
      local text
      text, at = event_behind(self, at)
      going = send(text)
    end
  end
  local made = response.events(send_all)
  made.stream = sse.texts(send_all)
  return made
end

-- ── long polling ────────────────────────────────────────────────────────────

local function messages_behind(history, at)
  local list = {}
  for offset = at + 1, history.last do
    list[#list + 1] = ('{"id":"%s","data":%s}'):format(history:id(offset), history:json(offset))
  end
  return table.concat(list, ",")
end

local function answer(self, recovered, at)
  local history = self.history
  if not history:reaches(at) then
    recovered, at = false, history.first - 1
  end
  return ('{"topic":%s,"id":"%s","recovered":%s,"messages":[%s]}'):format(
    json.encode(self.name), history:id(), recovered, messages_behind(history, at))
end

local INIT = { headers = { ["content-type"] = "application/json", ["cache-control"] = "no-store" } }

---@param from string? the last id that the client has seen
---@param timeout number seconds; 0: nobody waits
---@return sprylua.Response
function Followers:poll(from, timeout)
  local recovered, at = self.history:resume(from)
  if not recovered or at < self.history.last or timeout == 0 then
    return response(answer(self, recovered, at), INIT)
  end
  -- A stream, so as to end where it waits when its client goes.
  local made = response.stream(function(write)
    local _ <close> = follow(self)
    self.changed:wait(function()
      return self.ending or self.history.last > at
    end, timeout)
    write(answer(self, true, at))
  end, INIT)
  made.live = "answer"
  return made
end

return M
