-- Histories in Redis, which numbers their messages, so that all processes have the same ids in the same order. Each
-- process has a copy, which it keeps up to date; what was published here goes out through the outbox.

local backbone = require "sprylua.backbone"
local identity = require "sprylua.identity"
local outbox = require "sprylua.redis.outbox"
local records = require "sprylua.topic_record"
local scripts = require "sprylua.redis.history_scripts"

local M = {}

---@class sprylua.redis.Kept what is known of a topic's history in Redis
---@field count integer messages to keep
---@field read boolean it has been read at least once
---@field reading "once"|"again"|nil it is being read, and is to be read again after that
---@field pages table[] entries that were read so far, while there are more
---@field pages_epoch string

local PATIENCE = 5 -- seconds that a subscriber waits for a history that was never read
local PART = 1000 -- messages that are restored together

---@type table<string, sprylua.redis.Kept> by topic
local topics = {}

local function keys_of(hub, name)
  return { hub.prefix .. "topic:" .. name, hub.prefix .. "history:" .. name }
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

---@class sprylua.redis.KeptMessage
---@field offset integer
---@field encoding string
---@field text string
---@field sender string
---@field token string

---@return sprylua.redis.KeptMessage
local function message_of(entry)
  local message = { offset = math.tointeger(tonumber(entry[1]:match "^%d+")), encoding = "", text = "", sender = "" }
  for i = 1, #entry[2], 2 do
    message[entry[2][i]] = entry[2][i + 1]
  end
  return message
end

-- The publisher's token is for himself.
local function deliver(hub, name, epoch, message)
  backbone.heard("appended", name, epoch, tostring(message.offset), message.encoding, message.text,
    message.sender == hub.id and message.token or "")
end

-- What there was before anybody here could know of it. In parts: Lua returns no more than a million values at once.
local function restore(_, name, epoch, last, entries)
  local at = 1
  repeat
    local messages, first = {}, last + 1
    for i = at, math.min(at + PART - 1, #entries) do
      local message = message_of(entries[i])
      first = i == at and message.offset or first
      messages[#messages + 1] = message.encoding
      messages[#messages + 1] = message.text
    end
    backbone.heard("restore", name, epoch, tostring(first), table.unpack(messages))
    at = at + PART
  until at > #entries
end

-- What was missed.
local function catch_up(hub, name, epoch, last, entries)
  local kept = records.find(name).history
  for _, entry in ipairs(entries) do
    local message = message_of(entry)
    if epoch ~= kept.epoch or message.offset > kept.last then
      deliver(hub, name, epoch, message)
    end
  end
  if epoch ~= kept.epoch then
    backbone.heard("restore", name, epoch, tostring(last + 1))
  end
end

-- All that there was to read is there.
local function absorb(hub, name, epoch, last)
  local topic = topics[name]
  local take = topic.read and catch_up or restore
  local entries = topic.pages
  topic.read, topic.pages = true, {}
  take(hub, name, epoch, last, entries)
  hub.arrived:notify()
end

local read

-- Takes what was read. Returns whether there is more.
local function take_page(hub, name, epoch, last, entries, more)
  local topic = topics[name]
  if topic.pages_epoch ~= epoch then
    topic.pages, topic.pages_epoch = {}, epoch
  end
  table.move(entries, 1, #entries, #topic.pages + 1, topic.pages)
  if more == "more" then
    return true
  end
  absorb(hub, name, epoch, last)
  return false
end

-- Behind which message to go on: of what was read before, or of what is known.
local function place_to_read(name)
  local topic = topics[name]
  local newest = topic.pages[#topic.pages]
  if newest then
    return topic.pages_epoch, newest[1]:match "^%d+"
  end
  return known(name)
end

function read(hub, name)
  local topic = topics[name]
  if topic.reading then
    topic.reading = "again"
    return
  end
  local epoch, last = place_to_read(name)
  local sent = hub:run(function(reply)
    local again = topic.reading == "again"
    topic.reading = nil
    if not reply then
      topic.pages = {}
    elseif records.find(name) and take_page(hub, name, table.unpack(reply)) then
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

-- ── for the carrier ─────────────────────────────────────────────────────────

---@param hub sprylua.redis.Hub
---@return fun(sender: string, ...: string) heard called with each message that was numbered
function M.start(hub)
  local last_serial = 0
  outbox.start(hub, function(name)
    local epoch, last = known(name)
    return { keys = keys_of(hub, name), epoch = epoch, last = last, count = topics[name].count }
  end)
  backbone.carry("declare", function(name, count)
    local topic = topics[name] or { read = false, pages = {} }
    topics[name], topic.count = topic, math.tointeger(tonumber(count))
    if not topic.read and hub:connected() then
      read(hub, name)
    end
  end)
  backbone.carry("append", function(...)
    last_serial = last_serial + 1
    outbox.put(hub.id, tostring(last_serial), ...)
  end)
  backbone.on("inherit", function(sender, serial, name, encoding, text)
    if topics[name] then
      outbox.put(sender, serial, name, encoding, text, "")
    end
  end)
  records.await = function(name)
    if not topics[name].read and coroutine.isyieldable() then
      hub.arrived:wait(function()
        return topics[name].read
      end, PATIENCE)
    end
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
