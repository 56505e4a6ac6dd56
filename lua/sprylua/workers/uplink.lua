-- A worker's end of the link to the process above it. A message is written when it is sent, before its sender can
-- answer anybody: who hears of the one can rely on the other. While there is no room for it, and now and then when
-- there is, what comes is taken: others may wait for just that.

local clock = require "sprylua.clock"
local inboxes = require "sprylua.workers.inbox"
local net = require "sprylua.net"
local uv = require "luv"

local M = {}

local MUCH = 16 << 20 -- bytes; when so many have come, more are on their way
local PATIENCE = 5 -- ms, for what is on its way
local LONG = 1 -- seconds that are spent on it in a row

---@class sprylua.Uplink
---@field private descriptor integer
---@field private poll table luv's
---@field private inbox sprylua.Inbox
---@field private over fun()
---@field private take fun()
---@field private soon table luv's timer: what has come will be taken
local Uplink = {}
Uplink.__index = Uplink

local function finish(self)
  if self.poll:is_closing() then
    return
  end
  self.inbox:close()
  self.soon:close()
  self.poll:close(function()
    uv.fs_close(self.descriptor)
  end)
  self.over()
end

-- Takes what has come. When that is much, because something here has published much meanwhile, all of it: who publishes
-- should not be faster than what the others publish is taken. Not for ever: there are others to serve.
local function take(self)
  local began, patience = clock.now(), 0
  repeat
    local came, waiting, ended = net.read(self.descriptor, self.inbox.reader, patience)
    if waiting > MUCH then
      patience = PATIENCE
    end
    self.inbox:deliver()
    if ended then
      return finish(self)
    end
  until patience == 0 or came == 0 or clock.now() - began > LONG
end

---Sends a message.
---@param ... string
function Uplink:send(...)
  if self.poll:is_closing() then
    return
  end
  local written, has_more = net.write(self.descriptor, self.inbox.reader, ...)
  if not written then
    finish(self)
  elseif has_more then
    self.soon:start(0, 0, self.take) -- before the loop looks who else wants something
  end
end

---@param descriptor integer of a socket, which the link owns from here on
---@param receive fun(...: string) called with each message; see sprylua.workers.inbox
---@param over fun() called once: the other side is gone
---@return sprylua.Uplink
function M.open(descriptor, receive, over)
  local self = setmetatable({
    descriptor = descriptor, poll = assert(uv.new_poll(descriptor)), soon = uv.new_timer(),
    inbox = inboxes.new(receive), over = over,
  }, Uplink)
  self.take = function()
    take(self)
  end
  self.poll:start("r", self.take)
  return self
end

return M
