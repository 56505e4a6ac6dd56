-- A connection to Redis that comes back by itself: when it is lost it tries again, after 0.1 s and then after longer
-- and longer, up to 10 s. What is asked meanwhile fails at once. Commands that are given one after the other are sent
-- together, and answered in order.

local clock = require "sprylua.clock"
local log = require "sprylua.log"
local net = require "sprylua.net.redis"
local uv = require "luv"

local M = {}

local FIRST_DELAY, LONGEST_DELAY = 0.1, 10 -- seconds
local PATIENCE = 5 -- seconds that a connection may take until it is up

---@alias sprylua.redis.Answer fun(kind: string, value: any) "status", "integer", "string", "array", "nil", or "error"
--- and a message; "lost" and a message when no answer can come

---@class sprylua.redis.Events
---@field up fun()? it can be used
---@field down fun()? it can't any more
---@field push fun(channel: string, text: string)? what came from a channel

---@class sprylua.redis.Connection
---@field up boolean
---@field private address sprylua.redis.Address
---@field private events sprylua.redis.Events
---@field private handle table? of sprylua.net.redis
---@field private questions sprylua.redis.Answer[] from `first` to `last`, those that have no answer yet
local Connection = {}
Connection.__index = Connection

local begin

-- ── answers ─────────────────────────────────────────────────────────────────

local function take_question(self)
  local question = self.questions[self.first]
  if question then
    self.questions[self.first] = nil
    self.first = self.first + 1
  end
  return question
end

local function place(self)
  return ("Redis at %s, port %d"):format(self.address.host, self.address.port)
end

-- It is over, or has not come to be: everybody who waits is told, and it begins anew later.
local function lose(self, problem)
  if self.patience then
    self.patience:cancel()
  end
  if self.handle then
    self.handle:close()
  end
  self.handle, self.up, self.patience = nil, false, nil
  if not self.complained then
    self.complained = true
    log.warn(("%s is not connected: %s; trying again"):format(place(self), problem))
  end
  if self.events.down then
    self.events.down()
  end
  clock.after(self.delay, function()
    begin(self)
  end)
  self.delay = math.min(self.delay * 2, LONGEST_DELAY)
  local lost = self.questions
  local first, last = self.first, self.last
  self.questions, self.first, self.last = {}, 1, 0
  for i = first, last do
    lost[i]("lost", "the connection to Redis was lost")
  end
end

local function receive(self, kind, value)
  if kind == "ended" then
    self.handle = nil
    lose(self, value)
  elseif kind == "array" and value[1] == "message" and self.events.push then
    self.events.push(value[2], value[3])
  else
    local question = take_question(self)
    if question then
      question(kind, value)
    end
  end
end

local function send(self, answer, ...)
  if not (self.handle and self.handle:send(...)) then
    return false
  end
  self.last = self.last + 1
  self.questions[self.last] = answer
  return true
end

-- ── coming to be ────────────────────────────────────────────────────────────

local function rise(self)
  self.patience:cancel()
  self.patience, self.up, self.delay = nil, true, FIRST_DELAY
  if self.complained then
    self.complained = false
    log.info(("%s is connected again"):format(place(self)))
  end
  if self.events.up then
    self.events.up()
  end
end

-- A server that is still loading what it has kept answers everything with an error, but not SELECT.
local function greetings(address)
  local list = { { "SELECT", tostring(address.db) }, { "PING" } }
  if address.password then
    local auth = address.user and { "AUTH", address.user, address.password } or { "AUTH", address.password }
    table.insert(list, 1, auth)
  end
  return list
end

local function greet(self)
  local handle = self.handle
  for _, greeting in ipairs(greetings(self.address)) do
    send(self, function(kind, value)
      if self.handle ~= handle or kind == "lost" then
        return
      elseif kind == "error" then
        lose(self, value)
      elseif greeting[1] == "PING" then
        rise(self)
      end
    end, table.unpack(greeting))
  end
end

local function connect(self, address)
  local handle, problem
  handle, problem = net.connect(address, self.address.port, function(kind, value)
    if self.handle == handle then
      receive(self, kind, value)
    end
  end)
  if not handle then
    return lose(self, problem)
  end
  self.handle = handle
  greet(self)
end

-- The addresses of a name are tried in turn.
function begin(self)
  self.turn = self.turn + 1
  self.patience = clock.after(PATIENCE, function()
    lose(self, "it does not answer")
  end)
  local patience = self.patience
  local function resolved(problem, list)
    if self.patience ~= patience then
      return
    elseif problem or #list == 0 then
      return lose(self, ("the host was not found (%s)"):format(tostring(problem)))
    end
    connect(self, list[(self.turn - 1) % #list + 1].addr)
  end
  local request, problem = uv.getaddrinfo(self.address.host, nil, { socktype = "stream" }, resolved)
  if not request then
    lose(self, tostring(problem))
  end
end

-- ── for everybody ───────────────────────────────────────────────────────────

---Gives a command. `answer` is called once, from the loop, unless it is not connected.
---@param answer sprylua.redis.Answer
---@param ... string
---@return boolean sent
function Connection:command(answer, ...)
  return self.up and send(self, answer, ...)
end

---@param address sprylua.redis.Address
---@param events sprylua.redis.Events?
---@return sprylua.redis.Connection
function M.open(address, events)
  local self = setmetatable({
    address = address, events = events or {}, up = false, delay = FIRST_DELAY, turn = 0,
    questions = {}, first = 1, last = 0,
  }, Connection)
  begin(self)
  return self
end

return M
