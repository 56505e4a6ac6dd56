-- A worker's end of the link to the process above it. A message is written when it is sent, before its sender can
-- answer anybody: who hears of the one can rely on the other. While there is no room for it, what comes is taken:
-- others may wait for just that.

local framing = require "sprylua.workers.framing"
local inboxes = require "sprylua.workers.inbox"
local net = require "sprylua.net"
local tasks = require "sprylua.tasks"
local uv = require "luv"

local M = {}

local MOST_READS = 8 -- in a row; each takes some MiB at most
local AGAIN = 0.1 -- seconds after which there may be memory for what there was none

---@class sprylua.Uplink
---@field private descriptor integer
---@field private poll table luv's
---@field private inbox sprylua.Inbox
---@field private over fun()
---@field private taking sprylua.Timer? what has come will be taken soon
---@field private held string|false what was read, until the inbox has it
---@field private unfinished boolean it is taking, or has raised in that
---@field private later table closable: what is unfinished is taken later
local Uplink = {}
Uplink.__index = Uplink

local function finish(self)
  if self.poll:is_closing() then
    return
  end
  self.inbox:close()
  self.poll:close(function()
    uv.fs_close(self.descriptor)
  end)
  self.over()
end

-- The next part of what has come, and whether that is the end. What the inbox had no memory for comes again.
local function read(self)
  if self.held then
    return self.held, false
  end
  local bytes, ended = net.read(self.descriptor)
  self.held = bytes or false
  return bytes, ended
end

-- Takes all that has come, however much that is: who publishes here should not be faster than what others publish is
-- taken. Not for ever: there are others to serve. Memory may run out anywhere, and nothing else may come that would
-- have the rest taken.
local function take(self)
  self.unfinished = true
  local _ <close> = self.later
  for _ = 1, MOST_READS do
    local bytes, ended = read(self)
    if bytes then
      self.inbox:add(bytes)
      self.held = false
      self.inbox:deliver()
    end
    if ended then
      finish(self)
      break
    elseif not bytes then
      break
    end
  end
  self.unfinished = false
end

-- Before the loop looks who else wants something, or after some seconds.
local function take_soon(self, seconds)
  self.taking = self.taking or tasks.after(seconds or 0, function()
    self.taking = nil
    if not self.poll:is_closing() then
      take(self)
    end
  end)
end

---Sends a message.
---@param ... string
function Uplink:send(...)
  if self.poll:is_closing() then
    return
  end
  local written, has_received = net.write(self.descriptor, framing.encode(...))
  if not written then
    finish(self)
  elseif has_received then
    take_soon(self)
  end
end

---@param descriptor integer of a socket, which the link owns from here on
---@param receive fun(...: string) called with each message
---@param over fun() called once: the other side is gone
---@return sprylua.Uplink
function M.open(descriptor, receive, over)
  local self = setmetatable({
    descriptor = descriptor, poll = assert(uv.new_poll(descriptor)), inbox = inboxes.new(receive), over = over,
    held = false, unfinished = false,
  }, Uplink)
  self.later = tasks.defer(function()
    if self.unfinished then
      take_soon(self, AGAIN)
    end
  end)
  self.poll:start("r", function()
    take(self)
  end)
  return self
end

return M
