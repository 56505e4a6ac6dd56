-- What `spry.topic` returns: a topic with a history, for those who publish to it and those who serve it. A message
-- gets an id, and whoever comes back with the last one that he has seen gets what he missed, over a WebSocket, as
-- server-sent events, or by long polling.

local core = require "sprylua.core"
local options = require "sprylua.options"
local publish = require "sprylua.publish"
local records = require "sprylua.topic_record"

local M = {}

---@class sprylua.Topic
---@field name string
---@field id string of the last message
---@field publish fun(self: sprylua.Topic, data: any, opts: table?): integer
---@field events fun(self: sprylua.Topic, event: table): sprylua.Response
---@field poll fun(self: sprylua.Topic, event: table, opts: { timeout: number? }?): sprylua.Response
local Topic = { __name = "sprylua.Topic" }

---@type table<sprylua.Topic, sprylua.TopicRecord>
local of = {}

---@type table<sprylua.TopicRecord, sprylua.Topic>
local objects = {}

local RULES = { history = options.integer(1, 100), bytes = options.integer(1, 1048576) }
local POLL = { timeout = options.seconds(25, true) }

local function declare(name, bounds)
  local record = records.declare(name, bounds.history, bounds.bytes)
  local topic = setmetatable({}, Topic)
  of[topic], objects[record] = record, topic
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
  local record = records.find(name) or declare(name, bounds)
  if opts then
    record:resize(bounds.history, bounds.bytes)
  end
  return objects[record]
end

-- ── the object ──────────────────────────────────────────────────────────────

local methods = {}

local function record_of(topic, method)
  return of[topic] or error(("call topic:%s(…) with a colon, on what spry.topic returned"):format(method), 3)
end

local function check_event(event, method)
  if type(event) ~= "userdata" then
    error(("topic:%s takes the event of the request that it answers"):format(method), 3)
  end
end

---As spry.publish.
---@param data any
---@param opts { binary: boolean? }?
---@return integer receivers
function methods.publish(topic, data, opts)
  local receivers, problem = publish.distribute(record_of(topic, "publish").name, data, opts)
  return receivers or error(problem, 2)
end

---A stream of server-sent events: what was missed since `Last-Event-ID`, then every message as it comes.
---@param event table
---@return sprylua.Response
function methods.events(topic, event)
  local record = record_of(topic, "events")
  check_event(event, "events")
  local from = event.headers:get "last-event-id" or event.query:get "from"
  records.await(record.name, from)
  local response = record.followers:events(from)
  return response
end

---The answer to a long poll: what there is behind the id in `?from=`, at once or, when there is nothing yet, within
---`timeout` (25) seconds; 0: at once in any case.
---@param event table
---@param opts { timeout: number? }?
---@return sprylua.Response
function methods.poll(topic, event, opts)
  local record = record_of(topic, "poll")
  check_event(event, "poll")
  local settings = options.read("topic:poll", opts, POLL)
  local from = event.query:get "from"
  records.await(record.name, from)
  local response = record.followers:poll(from, settings.timeout)
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
