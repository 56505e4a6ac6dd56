-- A topic with a history, what `spry.topic` returns: a message gets an id, and whoever comes back with the last id that
-- he has seen gets what he missed, over a WebSocket, as server-sent events, or by long polling.

local core = require "sprylua.core"
local followers = require "sprylua.followers"
local history = require "sprylua.history"
local json = require "sprylua.json"
local options = require "sprylua.options"

local M = {}

---@class sprylua.Topic
---@field name string
---@field id string of the last message
---@field publish fun(self: sprylua.Topic, data: any, opts: table?): integer
---@field events fun(self: sprylua.Topic, event: table): sprylua.Response
---@field poll fun(self: sprylua.Topic, event: table, opts: { timeout: number? }?): sprylua.Response
local Topic = { __name = "sprylua.Topic" }

-- What belongs to a topic, beside the object that users hold.
---@class sprylua.TopicRecord
---@field name string
---@field topic sprylua.Topic
---@field history sprylua.History
---@field head string how each envelope begins
---@field followers sprylua.Followers

---@type table<string, sprylua.TopicRecord>
local records = {}

---@type table<sprylua.Topic, sprylua.TopicRecord>
local of = setmetatable({}, { __mode = "k" })

local RULES = { history = options.integer(1, 100), bytes = options.integer(1, 1048576) }
local POLL = { timeout = options.seconds(25) }

local function make(name, count, bytes)
  local topic = setmetatable({}, Topic)
  local kept = history.new(count, bytes)
  local record = {
    name = name, topic = topic, history = kept,
    head = '{"topic":' .. json.encode(name) .. ',"id":"',
    followers = followers.new(name, kept),
  }
  records[name], of[topic] = record, record
  return record
end

---Declares a topic with a history. Declared again it is the same one; options that are given then replace its bounds.
---@param name string
---@param opts { history: integer?, bytes: integer? }? how many messages (100), and bytes of them (1 MiB), are kept
---@return sprylua.Topic
function M.topic(name, opts)
  local _, problem = core.topic.check(name)
  if problem then
    error(problem, 2)
  end
  local bounds = options.read("spry.topic", opts, RULES)
  local record = records[name] or make(name, bounds.history, bounds.bytes)
  if opts then
    record.history:resize(bounds.history, bounds.bytes)
  end
  return record.topic
end

---@param name string
---@return sprylua.TopicRecord?
function M.find(name)
  return records[name]
end

---Every declared topic, by name.
---@return table<string, sprylua.TopicRecord>
function M.all()
  return records
end

---A message as it reaches a WebSocket.
---@param record sprylua.TopicRecord
---@param offset integer
---@return string
function M.envelope(record, offset)
  local kept = record.history
  return record.head .. kept:id(offset) .. '","data":' .. kept:json(offset) .. "}"
end

---Keeps a message and hands it to everybody. Nobody has run when this returns.
---@param record sprylua.TopicRecord
---@param text string UTF-8
---@param encoded boolean whether it is JSON
---@param except table? a ws
---@return integer receivers
function M.publish(record, text, encoded, except)
  local kept = record.history
  local offset = kept:add(text, encoded)
  record.followers:notify()
  local envelope = record.head .. kept:id(offset) .. '","data":' .. (encoded and text or json.encode(text)) .. "}"
  return core.topic.publish(record.name, envelope, false, except) + record.followers.count
end

-- ── the object ──────────────────────────────────────────────────────────────

local methods = {}

---As spry.publish.
---@param data any
---@param opts { binary: boolean? }?
---@return integer receivers
function methods.publish(topic, data, opts)
  local receivers, problem = require("sprylua.topics").distribute(of[topic].name, data, opts)
  return receivers or error(problem, 2)
end

---A stream of server-sent events: what was missed since `Last-Event-ID`, then every message as it comes.
---@param event table
---@return sprylua.Response
function methods.events(topic, event)
  local response = of[topic].followers:events(event)
  return response
end

---The answer to a long poll: what there is behind the id in `?from=`, at once or, when there is nothing yet, within
---`timeout` (25) seconds.
---@param event table
---@param opts { timeout: number? }?
---@return sprylua.Response
function methods.poll(topic, event, opts)
  local settings = options.read("topic:poll", opts, POLL)
  local response = of[topic].followers:poll(event, settings.timeout)
  return response
end

function Topic.__index(topic, key)
  if key == "name" then
    return of[topic].name
  elseif key == "id" then
    return of[topic].history:id()
  end
  return methods[key]
end

function Topic.__newindex()
  error("a topic's fields can't be set", 2)
end

function Topic.__tostring(topic)
  return "topic " .. of[topic].name
end

return M
