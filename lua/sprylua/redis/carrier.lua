-- The backbone over Redis: what processes on any number of machines have in common, when the setting `redis` names a
-- server. A process has two connections, one for commands and one that listens to the channel of them all.

local backbone = require "sprylua.backbone"
local client = require "sprylua.redis.client"
local connection = require "sprylua.redis.connection"
local histories = require "sprylua.redis.histories"
local identity = require "sprylua.identity"
local log = require "sprylua.log"
local outbox = require "sprylua.redis.outbox"
local presence = require "sprylua.redis.presence"
local shared = require "sprylua.redis.shared"
local signal = require "sprylua.signal"
local url = require "sprylua.redis.url"

local M = {}

local PATIENCE = 5 -- seconds that a start waits for Redis

---@class sprylua.redis.Hub what the parts of the carrier share
---@field id string of this process
---@field server string of all workers of this server, who tell each other without Redis what is published
---@field prefix string of every key
---@field channel string
---@field private commands sprylua.redis.Connection
---@field private listening boolean the channel is subscribed to
local Hub = {}
Hub.__index = Hub

local function ignore() end

---Gives a command; what Redis refuses is logged. `answer` gets nil for that, and when no answer can come; and what
---Redis has said.
---@param answer fun(value: any, message: string?)
---@param ... string
---@return boolean sent
function Hub:ask(answer, ...)
  return self.commands:command(function(kind, value)
    if kind == "error" then
      log.error("Redis refuses a command: " .. log.escape(value))
      answer(nil, value)
    else
      answer(kind ~= "lost" and value or nil)
    end
  end, ...)
end

local function evaluation(script, keys, ...)
  local arguments, rest = { "EVAL", script, tostring(#keys), table.unpack(keys) }, { ... }
  table.move(rest, 1, #rest, #arguments + 1, arguments)
  return table.unpack(arguments)
end

---Runs a script, which gets the keys and then the other arguments.
---@param answer fun(value: any, message: string?)
---@param script string
---@param keys string[]
---@param ... string
---@return boolean sent
function Hub:run(answer, script, keys, ...)
  return self:ask(answer, evaluation(script, keys, ...))
end

---The same for who deals with errors.
---@param answer sprylua.redis.Answer
---@param script string
---@param keys string[]
---@param ... string
---@return boolean sent
function Hub:try(answer, script, keys, ...)
  return self.commands:command(answer, evaluation(script, keys, ...))
end

---Tells all other processes.
---@param ... string
---@return boolean sent
function Hub:tell(...)
  local parts = { self.id, ... }
  for i, part in ipairs(parts) do
    parts[i] = string.pack("<s4", part)
  end
  return self:ask(ignore, "PUBLISH", self.channel, table.concat(parts))
end

---Has the connection for commands made anew.
---@param why string
function Hub:renew(why)
  self.commands:renew(why)
end

---Whether what is told now is heard by this process too.
---@return boolean
function Hub:connected()
  return self.commands.up and self.listening
end

-- ── what comes ──────────────────────────────────────────────────────────────

---@type table<string, fun(sender: string, ...: string)>
local heard = {}

-- Anybody who can reach Redis can send something: what has not our form is left out.
local function parts_of(text)
  local parts, at = {}, 1
  while at <= #text do
    parts[#parts + 1], at = string.unpack("<s4", text, at)
  end
  return parts
end

local function receive(hub, text)
  local ok, parts = pcall(parts_of, text)
  local sender, what = ok and parts[1], ok and parts[2]
  local listener = heard[what]
  if listener and (sender ~= hub.id or what == "appended") then
    listener(sender, table.unpack(parts, 3))
  end
end

-- ── connecting ──────────────────────────────────────────────────────────────

-- Both connections are there: what was missed is fetched, and what waited is sent.
local function synchronize(hub)
  if hub:connected() then
    histories.synchronize(hub)
    presence.synchronize(hub)
    hub.arrived:notify()
  end
end

local function listen(hub)
  hub.listener:command(function(kind, value)
    hub.listening = kind == "array"
    if kind == "error" then
      log.error("Redis refuses to be listened to: " .. log.escape(value))
    end
    synchronize(hub)
  end, "SUBSCRIBE", hub.channel)
end

local function connect(hub, address)
  hub.commands = connection.open(address, { up = function()
    synchronize(hub)
  end })
  hub.listener = connection.open(address, {
    up = function()
      listen(hub)
    end,
    down = function()
      hub.listening = false
    end,
    push = function(_, text)
      receive(hub, text)
    end,
  })
  client.use(hub.commands)
end

---@type sprylua.redis.Hub?
local hub

-- The other workers of this server hear without Redis of what is published here, so whoever is connected there misses
-- nothing when Redis is away.
local function carry_publications()
  backbone.carry("publish", function(...)
    hub:tell("publish", hub.server, ...)
    return false
  end)
  function heard.publish(_, server, ...)
    if server ~= hub.server then
      backbone.heard("publish", ...)
    end
  end
end

---Carries the backbone over Redis from now on. Before the project's code is loaded, which declares topics.
---@param setting string the address
---@param server string? which server this process is a worker of
function M.start(setting, server)
  local address = assert(url.parse(setting))
  local id = identity.new()
  hub = setmetatable({
    id = id, server = server or id, prefix = "sprylua:", channel = ("sprylua:%d"):format(address.db),
    listening = false, arrived = signal.new(),
  }, Hub)
  carry_publications()
  heard.appended = histories.start(hub)
  heard.present, heard.gone = presence.start(hub)
  shared.start(hub)
  connect(hub, address)
end

local impatient = false -- it was waited for in vain

---Waits until what the others have in common is here: histories and presence. Not for ever: without Redis a server
---serves as well as it can.
function M.catch_up()
  if impatient or not hub then
    return
  end
  impatient = not hub.arrived:wait(function()
    return hub:connected() and histories.complete() and presence.complete()
  end, PATIENCE)
  if impatient then
    log.warn "Redis has not answered: this process serves without the others until it does"
  end
end

---Whether Redis has everything that it should.
---@return boolean
function M.confirmed()
  return not hub or outbox.is_empty()
end

---Waits for that. In a coroutine.
---@param seconds number
function M.flush(seconds)
  outbox.settled:wait(outbox.is_empty, seconds)
end

---This process ends: the others need not wait for it, and what was still to be sent goes out.
function M.leave()
  if hub then
    outbox.bequeath()
    presence.leave(hub)
    hub.commands:flush()
  end
end

return M
