-- Histories in Redis: a stream for each topic, and beside it the epoch and the offset of the last message. A script
-- numbers, keeps and publishes a message in one step, so that all processes have the same ids in the same order. What
-- Redis has not confirmed when the connection breaks is sent again; by the sender's serial number the script knows what
-- it has had.

local backbone = require "sprylua.backbone"
local identity = require "sprylua.identity"
local log = require "sprylua.log"
local records = require "sprylua.topic_record"
local signal = require "sprylua.signal"

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

-- KEYS besides: the serial number of the last message that this process has sent. ARGV besides: how many to keep, the
-- channel, the serial number, and the parts of the message: sender, topic, encoding, text, token.
local APPEND = [[
if tonumber(redis.call("GET", KEYS[3]) or 0) >= tonumber(ARGV[6]) then return end
redis.call("SET", KEYS[3], ARGV[6], "EX", 3600)
]] .. OPEN .. [[
local offset = string.format("%.0f", redis.call("HINCRBY", KEYS[1], "last", 1))
redis.call("XADD", KEYS[2], "MAXLEN", ARGV[4], offset .. "-0", "encoding", ARGV[9], "text", ARGV[10],
  "sender", ARGV[7], "token", ARGV[11])
local parts = { ARGV[7], "appended", ARGV[8], epoch, offset, ARGV[9], ARGV[10], ARGV[11] }
for i, part in ipairs(parts) do parts[i] = struct.pack("<I4c0", #part, part) end
redis.call("PUBLISH", ARGV[5], table.concat(parts))
]]

---@class sprylua.redis.Kept what is known of a topic's history in Redis
---@field count integer messages to keep
---@field read boolean it has been read at least once
---@field reading "once"|"again"|nil it is being read, and is to be read again after that

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

-- What there was before anybody here could know of it.
local function restore(_, name, epoch, last, entries)
  local messages, first = {}, last + 1
  for i, entry in ipairs(entries) do
    local message = message_of(entry)
    first = i == 1 and message.offset or first
    messages[#messages + 1] = message.encoding
    messages[#messages + 1] = message.text
  end
  backbone.heard("restore", name, epoch, tostring(first), table.unpack(messages))
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
      absorb(hub, name, reply[1], reply[2], reply[3])
      hub.arrived:notify()
    end
    if again then
      read(hub, name)
    end
  end, READ, keys_of(hub, name), identity.new(), epoch, last)
  topic.reading = sent and "once" or nil
end

-- ── appending ───────────────────────────────────────────────────────────────

---@class sprylua.redis.Unconfirmed a message of which nobody knows whether Redis has it
---@field sender string the process that has published it: this one, or a worker that has left it to this one
---@field serial string
---@field parts string[] topic, encoding, text, token
---@field sent boolean on a connection that still is
---@field settled boolean Redis has answered, or it was given up

-- In the order of publishing, from `oldest` to `newest`. Without Redis their number is bounded, for that may take long.
local MOST_UNCONFIRMED = 1000
---@type table<integer, sprylua.redis.Unconfirmed>
local unconfirmed = {}
local oldest, newest = 1, 0
local last_serial = 0
local overflown = false -- some of it is lost, and that has been said

-- Given when there is less of that.
M.settled = signal.new()

local function settle(message)
  message.settled = true
  while unconfirmed[oldest] and unconfirmed[oldest].settled do
    unconfirmed[oldest] = nil
    oldest = oldest + 1
  end
  M.settled:notify()
end

local function give_up(message)
  settle(message)
  backbone.heard("unpublished", message.parts[4])
end

local function send(hub, message)
  local name, encoding, text, token = table.unpack(message.parts)
  local keys, epoch, last = keys_of(hub, name), known(name)
  keys[3] = hub.prefix .. "sent:" .. message.sender
  message.sent = hub:run(function(_, kind)
    if kind == "lost" then
      message.sent = false
    elseif kind == "error" then
      give_up(message)
    else
      settle(message)
    end
  end, APPEND, keys, identity.new(), epoch, last, tostring(topics[name].count), hub.channel, message.serial,
    message.sender, name, encoding, text, token)
end

local function make_room()
  if newest - oldest < MOST_UNCONFIRMED then
    return
  end
  give_up(unconfirmed[oldest])
  if not overflown then
    overflown = true
    log.warn "Redis is away for so long that messages of topics with a history are lost"
  end
end

local function append(hub, sender, serial, ...)
  if not hub:connected() then
    make_room()
  end
  newest = newest + 1
  local message = { sender = sender, serial = serial, parts = { ... }, sent = false, settled = false }
  unconfirmed[newest] = message
  if hub:connected() then
    send(hub, message)
  end
end

local function send_again(hub)
  overflown = false
  for i = oldest, newest do
    local message = unconfirmed[i]
    if not message.sent and not message.settled then
      send(hub, message)
    end
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
    deliver(hub, name, epoch, { offset = number, encoding = encoding, text = text, sender = sender, token = token })
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
    last_serial = last_serial + 1
    append(hub, hub.id, tostring(last_serial), ...)
  end)
  backbone.on("inherit", function(sender, serial, name, encoding, text)
    if topics[name] then
      append(hub, sender, serial, name, encoding, text, "")
    end
  end)
  return function(...)
    appended(hub, ...)
  end
end

---Fetches what was missed while there was no connection, and sends what Redis may not have.
---@param hub sprylua.redis.Hub
function M.synchronize(hub)
  for name in pairs(topics) do
    read(hub, name)
  end
  send_again(hub)
end

---Whether Redis has everything that was published here.
---@return boolean
function M.confirmed()
  return oldest > newest
end

---Leaves the rest to another worker of this server, if there is one.
function M.bequeath()
  for i = oldest, newest do
    local message = unconfirmed[i]
    if not message.settled then
      backbone.tell("inherit", message.sender, message.serial, table.unpack(message.parts, 1, 3))
    end
  end
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
