-- The topics that were declared: each with its history and with those who follow it without a WebSocket.

local backbone = require "sprylua.backbone"
local core = require "sprylua.core"
local followers = require "sprylua.followers"
local history = require "sprylua.history"
local json = require "sprylua.json"

local M = {}

---@class sprylua.TopicRecord
---@field name string
---@field history sprylua.History
---@field followers sprylua.Followers
---@field head string how each envelope begins
local Record = {}
Record.__index = Record

---@type table<string, sprylua.TopicRecord>
local records = {}

---@param name string
---@return sprylua.TopicRecord? record nil when the topic was not declared
function M.find(name)
  return records[name]
end

---@return table<string, sprylua.TopicRecord> by name
function M.all()
  return records
end

---@param name string
---@param count integer messages that are kept at most
---@param bytes integer bytes of them at most
---@return sprylua.TopicRecord
function M.declare(name, count, bytes)
  local kept = history.new(count, bytes)
  records[name] = setmetatable({
    name = name, history = kept, followers = followers.new(name, kept),
    head = '{"topic":' .. json.encode(name) .. ',"id":"',
  }, Record)
  backbone.tell("declare", name, tostring(count), tostring(bytes))
  return records[name]
end

---Other bounds from now on.
---@param count integer
---@param bytes integer
function Record:resize(count, bytes)
  self.history:resize(count, bytes)
  backbone.tell("declare", self.name, tostring(count), tostring(bytes))
end

---Waits, for a while, until what others have of a topic's history is known here, up to an id. In a coroutine.
---@param name string
---@param id any
function M.await(name, id) end -- luacheck: ignore 212 (somebody else does, when there are others)

---The server stops: whoever polls gets his answer.
function M.finish()
  for _, record in pairs(records) do
    record.followers:finish()
  end
end

local function envelope(record, offset, value)
  return record.head .. record.history:id(offset) .. '","data":' .. value .. "}"
end

---A message that is kept, as it reaches a WebSocket.
---@param offset integer
---@return string
function Record:envelope(offset)
  return envelope(self, offset, self.history:json(offset))
end

-- Keeps a message and hands it to everybody here. Nobody has run when this returns.
local function deliver(record, text, encoded, except)
  local offset = record.history:add(text, encoded)
  record.followers:notify()
  local message = envelope(record, offset, encoded and text or json.encode(text))
  return core.topic.publish(record.name, message, false, except) + record.followers.count
end

-- ── several processes ───────────────────────────────────────────────────────

-- A message of a history that several processes have gets its number elsewhere, and comes back with it, to all of them
-- in the same order. Meanwhile, whom it is not for is kept here, unless that ends.
local excepted, last_token = setmetatable({}, { __mode = "v" }), 0

local function take_excepted(token)
  local number = math.tointeger(tonumber(token)) or 0
  local except = excepted[number]
  excepted[number] = nil
  return except
end

local function send_round(record, text, encoded, except)
  last_token = last_token + 1
  excepted[last_token] = except
  backbone.tell("append", record.name, encoded and "json" or "", text, tostring(last_token))
  local here = core.topic.list()[record.name] or 0
  return here + record.followers.count
end

backbone.on("appended", function(name, epoch, offset, encoding, text, token)
  local record = records[name]
  if not record then
    return
  end
  local except, kept = take_excepted(token), record.history
  offset = math.tointeger(tonumber(offset)) --[[@as integer]]
  if kept.epoch ~= epoch or kept.last ~= offset - 1 then
    kept:restart(epoch, offset)
  end
  deliver(record, text, encoding == "json", except)
end)

-- One that never will come back.
backbone.on("unpublished", function(token)
  take_excepted(token)
end)

-- What is kept elsewhere, or the next part of that.
backbone.on("restore", function(name, epoch, first, ...)
  local record = records[name]
  if not record then
    return
  end
  local kept, messages = record.history, { ... }
  local offset = math.tointeger(tonumber(first)) --[[@as integer]]
  if kept.epoch ~= epoch or kept.last ~= offset - 1 then
    kept:restart(epoch, offset)
  end
  for i = 1, #messages, 2 do
    kept:add(messages[i + 1], messages[i] == "json")
  end
  record.followers:notify()
end)

---Publishes a message to everybody. Nobody has run when this returns.
---@param text string UTF-8
---@param encoded boolean whether it is JSON
---@param except table? a ws
---@return integer receivers in this process
function Record:publish(text, encoded, except)
  return core.sheltered(backbone.connected() and send_round or deliver, self, text, encoded, except)
end

return M
