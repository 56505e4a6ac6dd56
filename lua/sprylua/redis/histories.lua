-- Histories in Redis, which numbers their messages, so that all processes have the same ids in the same order. Each
-- process has a copy, which it keeps up to date; what was published here goes out through the outbox.

local backbone = require "sprylua.backbone"
local identity = require "sprylua.identity"
local log = require "sprylua.log"
local outbox = require "sprylua.redis.outbox"
local records = require "sprylua.topic_record"
local scripts = require "sprylua.redis.history_scripts"
local wellformed = require "sprylua.wellformed"

local M = {}

---@class sprylua.redis.Kept what is known of a topic's history in Redis
---@field count integer messages to keep
---@field bytes integer of them to keep
---@field read boolean it has been read to its end at least once
---@field reading "once"|"again"|nil it is being read, and is to be read again after that
---@field damaged boolean? something in it was no text, and that has been said

local PATIENCE = 5 -- seconds that a subscriber waits for a history: for any of it, or for what he has seen elsewhere
local MOST = 64 << 20 -- bytes of a message; every process is to take it in one answer

---@type table<string, sprylua.redis.Kept> by topic
local topics = {}

local function keys_of(hub, name)
  return { hub.prefix .. "topic:" .. name, hub.prefix .. "history:" .. name }
end

-- The epoch and the offset that this process knows. Before it has read any, the epoch is one that Redis has not.
local function known(name)
  local record = records.find(name)
  if record then
    return record.history.epoch, tostring(record.history.last)
  end
  return "", "0"
end

-- ── reading ─────────────────────────────────────────────────────────────────

---@class sprylua.redis.KeptMessage
---@field offset integer
---@field encoding string
---@field text string
---@field sender string
---@field token string

---@return sprylua.redis.KeptMessage
local function message_of(entry)
  local message = { encoding = "", text = "", sender = "" }
  for i = 1, #entry[2], 2 do
    message[entry[2][i]] = entry[2][i + 1]
  end
  message.offset = math.tointeger(tonumber(entry[1]:match "^%d+"))
  return message
end

-- Anybody who can reach Redis can write there, and a text that is none would end the sessions that it is sent to. What
-- was one message stays one, so that those behind it have their ids.
local function sound(name, text)
  if utf8.len(text) then
    return text
  end
  local topic = topics[name]
  if not topic.damaged then
    topic.damaged = true
    log.warn(("in Redis there are messages of the topic %s that are not UTF-8; what is wrong in them is replaced")
      :format(log.escape(name)))
  end
  return wellformed.utf8(text)
end

-- The publisher's token is for himself.
local function deliver(hub, name, epoch, message)
  backbone.heard("appended", name, epoch, tostring(message.offset), message.encoding, sound(name, message.text),
    message.sender == hub.id and message.token or "")
  hub.arrived:notify()
end

-- What there was before anybody here could know of it.
local function restore(_, name, epoch, message)
  backbone.heard("restore", name, epoch, tostring(message.offset), message.encoding, sound(name, message.text))
end

local function take_entries(hub, name, epoch, entries)
  local kept = records.find(name).history
  local take = topics[name].read and deliver or restore
  for _, entry in ipairs(entries) do
    local message = message_of(entry)
    if epoch ~= kept.epoch or message.offset > kept.last then
      take(hub, name, epoch, message)
    end
  end
end

-- All that there was to read is there. The newest may be missing: they were larger than the history.
local function finish_reading(hub, name, epoch, last)
  local kept = records.find(name).history
  if epoch ~= kept.epoch or kept.last < last then
    backbone.heard("restore", name, epoch, tostring(last + 1))
  end
  topics[name].read = true
  hub.arrived:notify()
end

-- Takes a page. Returns whether there may be more.
local function take_page(hub, name, epoch, last, entries, more)
  take_entries(hub, name, epoch, entries)
  if more == "more" then
    return true
  end
  finish_reading(hub, name, epoch, last)
  return false
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
    if reply and records.find(name) and take_page(hub, name, table.unpack(reply)) then
      again = true
    end
    if again then
      read(hub, name)
    end
  end, scripts.READ, keys_of(hub, name), identity.new(), epoch, last)
  topic.reading = sent and "once" or nil
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
    deliver(hub, name, epoch, { offset = number, encoding = encoding, text = text, sender = sender, token = token })
  end
end

-- ── waiting ─────────────────────────────────────────────────────────────────

-- What a client has seen elsewhere may not be here yet: on its way, or missed by the connection that listens.
local function await(hub, name, id)
  local topic, kept = topics[name], records.find(name).history
  local function is_known()
    return topic.read and not kept:is_ahead(id)
  end
  if is_known() or not coroutine.isyieldable() then
    return
  end
  if topic.read then
    read(hub, name)
  end
  hub.arrived:wait(is_known, PATIENCE)
end

-- ── publishing ──────────────────────────────────────────────────────────────

local function refuse(name, text, token)
  log.error(("a message of %d MiB to the topic %s is lost: over Redis it is %d MiB at most"):format(
    #text >> 20, log.escape(name), MOST >> 20))
  backbone.heard("unpublished", token)
end

-- ── for the carrier ─────────────────────────────────────────────────────────

---@param hub sprylua.redis.Hub
---@return fun(sender: string, ...: string) heard called with each message that was numbered
function M.start(hub)
  local last_serial = 0
  outbox.start(hub, function(name)
    local epoch, last = known(name)
    local topic = topics[name]
    return { keys = keys_of(hub, name), epoch = epoch, last = last, count = topic.count, bytes = topic.bytes }
  end)
  backbone.carry("declare", function(name, count, bytes)
    local topic = topics[name] or { read = false }
    topics[name], topic.count, topic.bytes = topic, math.tointeger(tonumber(count)), math.tointeger(tonumber(bytes))
    if not topic.read and hub:connected() then
      read(hub, name)
    end
  end)
  backbone.carry("append", function(name, encoding, text, token)
    if #text > MOST then
      return refuse(name, text, token)
    end
    last_serial = last_serial + 1
    outbox.put(hub.id, tostring(last_serial), name, encoding, text, token)
  end)
  backbone.on("inherit", function(sender, serial, name, encoding, text)
    if topics[name] then
      outbox.put(sender, serial, name, encoding, text, "")
    end
  end)
  records.await = function(name, id)
    await(hub, name, id)
  end
  return function(...)
    appended(hub, ...)
  end
end

---Fetches what was missed while there was no connection, and sends what waits.
---@param hub sprylua.redis.Hub
function M.synchronize(hub)
  for name in pairs(topics) do
    read(hub, name)
  end
  outbox.resume()
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
