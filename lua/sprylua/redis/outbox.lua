-- What was published to histories, on its way to Redis: in order, and kept until Redis has confirmed it. What is not
-- confirmed when the connection breaks, or when Redis can't take it at the moment, is sent again; by the serial number
-- Redis knows what it has had.

local backbone = require "sprylua.backbone"
local clock = require "sprylua.clock"
local identity = require "sprylua.identity"
local log = require "sprylua.log"
local scripts = require "sprylua.redis.history_scripts"
local signal = require "sprylua.signal"

local M = {}

-- What may wait: without Redis that takes long.
local MOST_WAITING = 1000
local MOST_BYTES = 256 << 20

local RETRY = 0.5 -- seconds

---@class sprylua.redis.Outgoing
---@field index integer its place in the queue
---@field before integer that of the one before it of the same sender
---@field sender string the process that has published it: this one, or a worker that has left it to this one
---@field serial string
---@field name string of the topic
---@field encoding string
---@field text string
---@field token string
---@field sent boolean on a connection that still is
---@field settled boolean Redis has answered, or it was given up

---@class sprylua.redis.Place of a topic in Redis
---@field keys string[] its hash and its stream
---@field epoch string that is known here, or ""
---@field last string offset that is known here
---@field count integer messages to keep
---@field bytes integer of them to keep

---@type table<integer, sprylua.redis.Outgoing> from `oldest` to `newest`
local queue = {}
local oldest, newest = 1, 0
local unsent = 1 -- nothing before it is to be sent
local waiting, bytes = 0, 0 -- how many are to be sent, and the size of their texts
local last_of = {} -- by sender, the index of its last
local overflown = false -- some of it is lost, and that has been said

local refused = false -- for the moment, and that has been said

local hub, place_of
local retry -- a timer

---Given when there is less of it.
M.settled = signal.new()

-- ── what has become of one ──────────────────────────────────────────────────

local function wait(message)
  message.sent = false
  waiting, bytes = waiting + 1, bytes + #message.text
end

local function wait_no_more(message)
  waiting, bytes = waiting - 1, bytes - #message.text
end

-- It may stay in the queue behind one that has no answer yet, but its text does not.
local function settle(message)
  if not message.sent then
    wait_no_more(message)
  end
  message.settled, message.text = true, ""
  while queue[oldest] and queue[oldest].settled do
    queue[oldest] = nil
    oldest = oldest + 1
  end
  if oldest > newest then
    last_of, overflown = {}, false
  end
  M.settled:notify()
end

local function give_up(message)
  settle(message)
  if message.token ~= "" then
    backbone.heard("unpublished", message.token)
  end
end

-- The words that begin an error which may be over in a moment: memory is full, a failover is under way, …
local PASSING = {
  OOM = true, READONLY = true, LOADING = true, BUSY = true, MISCONF = true, MASTERDOWN = true, NOREPLICAS = true,
  TRYAGAIN = true, CLUSTERDOWN = true,
}

-- Older versions have it in the middle of a sentence about the script.
local function passing(problem)
  for word in problem:gmatch "%f[%w](%u+)%f[^%w]" do
    if PASSING[word] then
      return word
    end
  end
end

-- ── sending ─────────────────────────────────────────────────────────────────

local pump

local function try_later()
  retry = retry or clock.after(RETRY, function()
    retry = nil
    pump()
  end)
end

local function take_back(message)
  wait(message)
  unsent = math.min(unsent, message.index)
end

local function wait_for_better_times(word, problem)
  if not refused then
    refused = true
    log.warn("Redis takes no messages at the moment, so they wait: " .. log.escape(problem))
  end
  try_later()
  if word == "READONLY" then -- of what was the primary; the address may lead to the new one by now
    hub:renew "it takes no writes (READONLY)"
  end
end

local function answered(message, kind, problem)
  local word = kind == "error" and passing(problem)
  if kind == "lost" then
    take_back(message)
  elseif word then
    take_back(message)
    wait_for_better_times(word, problem)
  elseif kind == "error" then
    log.error("Redis refuses a message of a topic with a history, which is lost: " .. log.escape(problem))
    give_up(message)
  else
    refused = false
    settle(message)
    pump()
  end
end

local function send(message)
  local place = place_of(message.name)
  local before = queue[message.before]
  return hub:try(function(kind, value)
    answered(message, kind, value)
  end, scripts.APPEND, { place.keys[1], place.keys[2], hub.prefix .. "sent:" .. message.sender }, identity.new(),
    place.epoch, place.last, tostring(place.count), tostring(place.bytes), hub.channel, message.serial,
    before and not before.settled and before.serial or "", message.sender, message.name, message.encoding,
    message.text, message.token)
end

-- The oldest that is to be sent.
local function next_unsent()
  unsent = math.max(unsent, oldest)
  while queue[unsent] and (queue[unsent].sent or queue[unsent].settled) do
    unsent = unsent + 1
  end
  return queue[unsent]
end

-- Sends what is to be sent, in order, for as long as the connection takes it.
function pump()
  while waiting > 0 and not retry and hub:connected() do
    local message = next_unsent()
    if not send(message) then
      return try_later()
    end
    wait_no_more(message)
    message.sent = true
  end
end

-- ── for histories ───────────────────────────────────────────────────────────

local function is_full(size)
  return waiting >= MOST_WAITING and not hub:connected() or bytes + size > MOST_BYTES
end

-- The oldest that Redis can't have is lost. Those that were sent and have no answer yet don't count: it may have them.
local function make_room(size)
  while waiting > 0 and is_full(size) do
    if not overflown then
      overflown = true
      log.error(("messages of topics with a history are lost: no more than %d, and %d MiB, wait for Redis"):format(
        MOST_WAITING, MOST_BYTES >> 20))
    end
    give_up(next_unsent())
  end
end

---Takes a message, which is sent as soon as that can be.
---@param sender string
---@param serial string
---@param name string
---@param encoding string
---@param text string
---@param token string "" for none
function M.put(sender, serial, name, encoding, text, token)
  make_room(#text)
  local message = {
    index = newest + 1, before = last_of[sender] or 0, sender = sender, serial = serial, name = name,
    encoding = encoding, text = text, token = token, sent = false, settled = false,
  }
  queue[message.index] = message
  newest, last_of[sender] = message.index, message.index
  wait(message)
  pump()
end

---Redis is back.
function M.resume()
  if retry then
    retry:cancel()
    retry = nil
  end
  pump()
end

---Whether Redis has everything.
---@return boolean
function M.is_empty()
  return oldest > newest
end

---Leaves the rest to another worker of this server, if there is one.
function M.bequeath()
  for i = oldest, newest do
    local message = queue[i]
    if not message.settled then
      backbone.tell("inherit", message.sender, message.serial, message.name, message.encoding, message.text)
    end
  end
end

---@param of sprylua.redis.Hub
---@param find fun(name: string): sprylua.redis.Place
function M.start(of, find)
  hub, place_of = of, find
end

return M
