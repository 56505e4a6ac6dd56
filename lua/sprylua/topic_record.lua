-- The topics that were declared: each with its history and with those who follow it without a WebSocket.

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
  return records[name]
end

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

---Keeps a message and hands it to everybody. Nobody has run when this returns.
---@param text string UTF-8
---@param encoded boolean whether it is JSON
---@param except table? a ws
---@return integer receivers
function Record:publish(text, encoded, except)
  local offset = self.history:add(text, encoded)
  self.followers:notify()
  local message = envelope(self, offset, encoded and text or json.encode(text))
  return core.topic.publish(self.name, message, false, except) + self.followers.count
end

return M
