-- A connection to Redis that comes back by itself: when it is lost it tries again, after 0.1 s and then after longer
-- and longer, up to 10 s. What is asked meanwhile fails at once. Redis answers in the order in which it is asked.

local clock = require "sprylua.clock"
local links = require "sprylua.redis.link"
local log = require "sprylua.log"

local M = {}

local FIRST_DELAY, LONGEST_DELAY = 0.1, 10 -- seconds
local PATIENCE = 5 -- seconds that a connection may take until it is up
local PULSE, MOST_SILENT = 10, 3 -- seconds; how many times of them a server may say nothing that is asked

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
---@field private link sprylua.redis.Link?
---@field private attempt integer counts links: what an older one says does not count
---@field private since number when it was up
---@field private silent integer how often in a row the pulse has found that nothing was said
---@field private questions sprylua.redis.Answer[] from `first` to `last`, those that have no answer yet
local Connection = {}
Connection.__index = Connection

local begin

-- ── answers ─────────────────────────────────────────────────────────────────

local function take_question(self)
  if self.first > self.last then
    return nil
  end
  local question = self.questions[self.first]
  self.questions[self.first] = nil
  self.first = self.first + 1
  return question
end

local function place(self)
  return ("Redis at %s, port %d"):format(self.address.host, self.address.port)
end

local function cancel(self, name)
  if self[name] then
    self[name]:cancel()
    self[name] = nil
  end
end

-- Nothing comes or goes any more.
local function let_go(self)
  cancel(self, "patience")
  cancel(self, "pulse")
  if self.link then
    self.link:close()
  end
  self.attempt, self.link = self.attempt + 1, nil
end

-- One that lasts as long as the next delay begins anew with short ones; one that is lost again and again does not.
local function try_later(self)
  if self.up and clock.now() - self.since >= self.delay then
    self.delay = FIRST_DELAY
  end
  clock.after(self.delay, function()
    begin(self)
  end)
  self.delay = math.min(self.delay * 2, LONGEST_DELAY)
end

-- It is over, or has not come to be: everybody who waits is told, and it begins anew later.
local function lose(self, problem)
  let_go(self)
  if not self.complained then
    self.complained = true
    log.warn(("%s is not connected: %s; trying again"):format(place(self), log.escape(problem)))
  end
  try_later(self)
  self.up = false
  if self.events.down then
    self.events.down()
  end
  local lost = self.questions
  local first, last = self.first, self.last
  self.questions, self.first, self.last = {}, 1, 0
  for i = first, last do
    lost[i]("lost", "the connection to Redis was lost")
  end
end

local function receive(self, kind, value)
  self.heard = true
  if kind == "ended" then
    return lose(self, value)
  elseif kind == "array" and value[1] == "message" and self.events.push then
    return self.events.push(value[2], value[3])
  end
  local question = take_question(self)
  if not question then
    return lose(self, "it has answered what nobody has asked")
  end
  question(kind, value)
end

-- In this order, so that a command that is sent has a question also when memory runs out.
local function send(self, answer, ...)
  if not self.link then
    return false
  end
  self.questions[self.last + 1] = answer
  local sent, problem = self.link:send(...)
  if sent then
    self.last = self.last + 1
  end
  return sent, problem
end

-- ── coming to be ────────────────────────────────────────────────────────────

local function ignore() end

-- A server that has stopped, or vanished, does not say so: it is asked from time to time whether it is there.
local function beat_later(self)
  self.pulse = clock.after(PULSE, function()
    self.silent = self.heard and 0 or self.silent + 1
    self.heard = false
    if self.silent >= MOST_SILENT then
      return lose(self, "it does not answer any more")
    elseif self.first > self.last then
      send(self, ignore, "PING")
    end
    beat_later(self)
  end)
end

local function rise(self)
  cancel(self, "patience")
  self.up, self.since, self.silent = true, clock.now(), 0
  if self.complained then
    self.complained = false
    log.info(("%s is connected again"):format(place(self)))
  end
  beat_later(self)
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
  for _, greeting in ipairs(greetings(self.address)) do
    send(self, function(kind, value)
      if kind == "error" then
        lose(self, value)
      elseif kind ~= "lost" and greeting[1] == "PING" then
        rise(self)
      end
    end, table.unpack(greeting))
  end
end

function begin(self)
  local attempt = self.attempt
  self.patience = clock.after(PATIENCE, function()
    lose(self, "it does not answer")
  end)
  local link = links.open(self.address, PATIENCE, function(kind, value)
    if self.attempt == attempt then
      receive(self, kind, value)
    end
  end)
  if self.attempt == attempt then
    self.link = link
    greet(self)
  end
end

-- ── for everybody ───────────────────────────────────────────────────────────

---Gives a command. `answer` is called once, from the loop, unless it is not connected.
---@param answer sprylua.redis.Answer
---@param ... string
---@return boolean sent
---@return string? problem why not, when it is connected
function Connection:command(answer, ...)
  if not self.up then
    return false
  end
  return send(self, answer, ...)
end

---Ends it, and begins anew.
---@param why string
function Connection:renew(why)
  if self.up then
    lose(self, why)
  end
end

---Sends what waits, at once.
function Connection:flush()
  if self.link then
    self.link:flush()
  end
end

---@param address sprylua.redis.Address
---@param events sprylua.redis.Events?
---@return sprylua.redis.Connection
function M.open(address, events)
  local self = setmetatable({
    address = address, events = events or {}, up = false, delay = FIRST_DELAY, attempt = 1, silent = 0,
    questions = {}, first = 1, last = 0,
  }, Connection)
  begin(self)
  return self
end

return M
