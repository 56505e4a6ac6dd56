-- A pipe between the supervisor and one worker: lists of strings, whole and in order. A worker's message is written
-- when it is sent, before its sender can answer anybody: who hears of the one can rely on the other. The supervisor
-- waits for nobody: what it sends in a turn of its loop goes out together, and waits for the worker; one that takes
-- nothing more while much waits for it is given up.

local clock = require "sprylua.clock"
local net = require "sprylua.net"
local tasks = require "sprylua.tasks"
local uv = require "luv"

local M = {}

local MUCH = 16 << 20 -- bytes that wait for the other side: is it still there?
local TOO_MUCH = 1 << 30 -- bytes that may wait for it at most
local PATIENCE = 5 -- seconds in which it should take something

---@class sprylua.LinkOptions
---@field receive fun(...: string) called with each message
---@field over fun(why: "ended"|"stuck") called once: the other side is gone, or takes nothing more
---@field waits boolean? to send is to wait until the other side has taken it
---@field pressed fun()? called when much waits for the other side, and whenever it has taken some of that

---@class sprylua.Link
---@field private options sprylua.LinkOptions
---@field private descriptor integer
---@field private pipe table luv's
---@field private input string[] what was not delivered yet
---@field private held integer bytes of that
---@field private at integer where in it the next message begins
---@field private wanted integer bytes that this message has, its length included; 4 before that is known
---@field private output string[] what goes out in this turn
---@field private size integer bytes of that
---@field private told_pressed boolean? it was said that much waits
---@field private sent integer bytes that went out
---@field private heard integer bytes that have come
---@field private listens boolean
---@field private suspicion sprylua.Timer? much waits for the other side
local Link = {}
Link.__index = Link

local function finish(self, why)
  if not self.pipe:is_closing() then
    self.pipe:close()
    self.options.over(why)
  end
end

-- ── sending ─────────────────────────────────────────────────────────────────

---Bytes that wait for the other side.
---@return integer
function Link:waiting()
  return self.pipe:is_closing() and 0 or self.size + self.pipe:get_write_queue_size()
end

---Whether that is much.
---@return boolean
function Link:is_pressed()
  return self:waiting() > MUCH
end

-- What the other side has done: taken and said.
local function progress(self)
  return self.sent - self:waiting() + self.heard
end

-- Gives the other side its time to do something while much waits for it. One that we let wait can't.
local function suspect(self)
  local before = progress(self)
  self.suspicion = self.suspicion or clock.after(PATIENCE, function()
    self.suspicion = nil
    if not self:is_pressed() then
      return
    elseif self.listens and progress(self) == before then
      finish(self, "stuck")
    else
      suspect(self)
    end
  end)
end

local function check_pressure(self)
  if self:waiting() > TOO_MUCH then
    finish(self, "stuck")
  elseif self:is_pressed() then
    self.told_pressed = true
    suspect(self)
    self.options.pressed()
  end
end

-- Some of what waited was taken.
local function ease(self)
  if not self.pipe:is_closing() then
    self.told_pressed = self:is_pressed()
    self.options.pressed()
  end
end

local function write_output(self)
  self.flushing = nil
  if self.pipe:is_closing() then
    return
  end
  local bytes = table.concat(self.output)
  self.output, self.size = {}, 0
  self.pipe:write(bytes, self.told_pressed and function()
    ease(self)
  end or nil)
end

local function write_later(self, bytes)
  self.output[#self.output + 1] = bytes
  self.size, self.sent = self.size + #bytes, self.sent + #bytes
  self.flushing = self.flushing or clock.after(0, function()
    write_output(self)
  end)
  check_pressure(self)
end

---Sends a message.
---@param ... string
function Link:send(...)
  if self.pipe:is_closing() then
    return
  end
  local parts = { ... }
  for i, part in ipairs(parts) do
    parts[i] = string.pack("<s4", part)
  end
  local bytes = string.pack("<s4", table.concat(parts))
  if not self.options.waits then
    write_later(self, bytes)
  elseif not net.write(self.descriptor, bytes) then
    finish(self, "ended")
  end
end

---Ends it, without telling `over`.
function Link:close()
  self.options.over = function() end
  finish(self, "ended")
end

-- ── receiving ───────────────────────────────────────────────────────────────

local function deliver(self, message)
  local parts, at = {}, 1
  while at <= #message do
    parts[#parts + 1], at = string.unpack("<s4", message, at)
  end
  self.options.receive(table.unpack(parts))
end

-- The next message, if it is whole; then it is taken.
local function next_message(self, bytes)
  local from, left = self.at, #bytes - self.at + 1
  self.wanted = left < 4 and 4 or 4 + string.unpack("<I4", bytes, from)
  if left < self.wanted then
    return nil
  end
  self.at, self.wanted = from + self.wanted, 4
  return bytes:sub(from + 4, self.at - 1)
end

-- Delivers everything that has come. What hears of a message can raise, or be interrupted: then the others come later.
local function take(self)
  local bytes, done = table.concat(self.input), false
  self.input = { bytes }
  local _ <close> = tasks.defer(function()
    if not done then
      tasks.after(0, function()
        take(self)
      end)
    end
  end)
  while not self.pipe:is_closing() do
    local message = next_message(self, bytes)
    if not message then
      break
    end
    deliver(self, message)
  end
  self.input, self.held, self.at = { bytes:sub(self.at) }, #bytes - self.at + 1, 1
  done = true
end

---Hears the other side, or lets it wait.
---@param listens boolean
function Link:listen(listens)
  if listens == self.listens or self.pipe:is_closing() then
    return
  end
  self.listens = listens
  if not listens then
    self.pipe:read_stop()
    return
  end
  if self.suspicion then -- its time begins anew
    self.suspicion:cancel()
    self.suspicion = nil
    suspect(self)
  end
  self.pipe:read_start(function(problem, bytes)
    if problem or not bytes then
      return finish(self, "ended")
    end
    self.heard = self.heard + #bytes
    self.input[#self.input + 1] = bytes
    self.held = self.held + #bytes
    if self.held - self.at + 1 >= self.wanted then
      take(self)
    end
  end)
end

---@param descriptor integer of a socket, which the link owns from here on
---@param options sprylua.LinkOptions
---@return sprylua.Link
function M.open(descriptor, options)
  local self = setmetatable({
    options = options, descriptor = descriptor, pipe = uv.new_pipe(false), input = {}, held = 0, at = 1, wanted = 4,
    output = {}, size = 0, sent = 0, heard = 0, listens = false,
  }, Link)
  self.pipe:open(descriptor)
  self:listen(true)
  return self
end

return M
