-- Histories in Redis: a stream for each topic, and beside it the epoch and the offset of the last message. A script
-- numbers, keeps and publishes a message in one step, so that all processes have the same ids in the same order.

local backbone = require "sprylua.backbone"
local core = require "sprylua.core"
local log = require "sprylua.log"
local records = require "sprylua.topic_record"

local M = {}

-- Finds the epoch. A Redis that has lost everything begins a new one. So does one that has lost the newest, for
-- what it numbers next would have the ids of those. ARGV: an epoch, should one be needed; the epoch and the last offset
-- that the caller knows.
local OPEN = [[
local epoch = redis.call("HGET", KEYS[1], "epoch")
local last = tonumber(redis.call("HGET", KEYS[1], "last") or 0)
if not epoch or epoch == ARGV[2] and last < tonumber(ARGV[3]) then
  epoch, last = ARGV[1], 0
  redis.call("DEL", KEYS[2])
end
redis.call("HSET", KEYS[1], "epoch", epoch, "last", last)
]]

local READ = OPEN .. [[
local first = epoch == ARGV[2] and string.format("%.0f-0", ARGV[3] + 1) or "-"
return { epoch, last, redis.call("XRANGE", KEYS[2], first, "+") }
]]

-- ARGV besides: how many to keep, the channel, and the parts of the message: sender, topic, encoding, text, token.
local APPEND = OPEN .. [[
local offset = string.format("%.0f", redis.call("HINCRBY", KEYS[1], "last", 1))
redis.call("XADD", KEYS[2], "MAXLEN", ARGV[4], offset .. "-0", "encoding", ARGV[8], "text", ARGV[9])
local parts = { ARGV[6], "appended", ARGV[7], epoch, offset, ARGV[8], ARGV[9], ARGV[10] }
for i, part in ipairs(parts) do parts[i] = struct.pack("<I4c0", #part, part) end
redis.call("PUBLISH", ARGV[5], table.concat(parts))
]]

---@class sprylua.redis.Kept what is known of a topic's history in Redis
---@field count integer messages to keep
---@field read boolean it has been read at least once
---@field reading "once"|"again"|nil it is being read, and is to be read again after that

---@type table<string, sprylua.redis.Kept> by topic
local topics = {}

-- What is to be appended when Redis is back: bounded, for that may take long.
local MOST_WAITING = 1000
local waiting = {}
local overflown = false -- some of it is lost, and that has been said

local function keys_of(hub, name)
  return { hub.prefix .. "topic:" .. name, hub.prefix .. "history:" .. name }
end

local function new_epoch()
  return (core.crypto.random(8):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- The epoch and the offset that this process knows; none before it has read them.
local function known(name)
  local record = records.find(name)
  if record and topics[name].read then
    return record.history.epoch, tostring(record.history.last)
  end
  return "", "0"
end

-- ── reading ─────────────────────────────────────────────────────────────────

local function message_of(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do
    fields[entry[2][i]] = entry[2][i + 1]
  end
  return math.tointeger(tonumber(entry[1]:match "^%d+")), fields.encoding or "", fields.text or ""
end

-- What there was before anybody here could know of it.
local function restore(name, epoch, last, entries)
  local messages, first = {}, last + 1
  for i, entry in ipairs(entries) do
    local offset, encoding, text = message_of(entry)
    first = i == 1 and offset or first
    messages[#messages + 1] = encoding
    messages[#messages + 1] = text
  end
  backbone.heard("restore", name, epoch, tostring(first), table.unpack(messages))
end

-- What was missed.
local function catch_up(name, epoch, last, entries)
  local kept = records.find(name).history
  for _, entry in ipairs(entries) do
    local offset, encoding, text = message_of(entry)
    if epoch ~= kept.epoch or offset > kept.last then
      backbone.heard("appended", name, epoch, tostring(offset), encoding, text, "")
    end
  end
  if epoch ~= kept.epoch then
    backbone.heard("restore", name, epoch, tostring(last + 1))
  end
end

local function read(hub, name)
  local topic = topics[name]
  if topic.reading then
    topic.reading = "again"
    return
  end
  local epoch, last = known(name)
  local sent = hub:run(function(reply)
    local again = topic.reading == "again"
    topic.reading = nil
    if reply and records.find(name) then
      local absorb = topic.read and catch_up or restore
      topic.read = true
      absorb(name, reply[1], reply[2], reply[3])
      hub.arrived:notify()
    end
    if again then
      read(hub, name)
    end
  end, READ, keys_of(hub, name), new_epoch(), epoch, last)
  topic.reading = sent and "once" or nil
end

-- ── appending ───────────────────────────────────────────────────────────────

local function append(hub, name, encoding, text, token)
  local epoch, last = known(name)
  return hub:run(function() end, APPEND, keys_of(hub, name), new_epoch(), epoch, last, tostring(topics[name].count),
    hub.channel, hub.id, name, encoding, text, token)
end

local function append_later(...)
  if #waiting == MOST_WAITING then
    table.remove(waiting, 1)
    if not overflown then
      overflown = true
      log.warn "Redis is away for so long that messages of topics with a history are lost"
    end
  end
  waiting[#waiting + 1] = { ... }
end

local function send_waiting(hub)
  local list = waiting
  waiting, overflown = {}, false
  for _, message in ipairs(list) do
    append(hub, table.unpack(message))
  end
end

-- A message has been numbered. One that does not follow on what is here is read, with those between.
local function appended(hub, sender, name, epoch, offset, encoding, text, token)
  local topic, record = topics[name], records.find(name)
  local number = math.tointeger(tonumber(offset))
  if not (topic and record and number and text) then
    return
  end
  local kept = record.history
  if not topic.read or epoch ~= kept.epoch or number > kept.last + 1 then
    read(hub, name)
  elseif number > kept.last then
    backbone.heard("appended", name, epoch, offset, encoding, text, sender == hub.id and token or "")
  end
end

-- ── for the carrier ─────────────────────────────────────────────────────────

---@param hub sprylua.redis.Hub
---@return fun(sender: string, ...: string) heard called with each message that was numbered
function M.start(hub)
  backbone.carry("declare", function(name, count)
    local topic = topics[name] or { read = false }
    topics[name], topic.count = topic, math.tointeger(tonumber(count))
    if not topic.read and hub:connected() then
      read(hub, name)
    end
  end)
  backbone.carry("append", function(...)
    if #waiting > 0 or not (hub:connected() and append(hub, ...)) then
      append_later(...)
    end
  end)
  return function(...)
    appended(hub, ...)
  end
end

---Fetches what was missed while there was no connection, and sends what waited for one.
---@param hub sprylua.redis.Hub
function M.synchronize(hub)
  for name in pairs(topics) do
    read(hub, name)
  end
  send_waiting(hub)
end

---Whether all that was declared has been read.
---@return boolean
function M.complete()
  for _, topic in pairs(topics) do
    if not topic.read then
      return false
    end
  end
  return true
end

return M
