-- A place where one coroutine waits for a condition, until somebody says that it may hold now. Who waits and is closed
-- (coroutine.close) leaves the place free.

local clock = require "sprylua.clock"
local tasks = require "sprylua.tasks"

---@class sprylua.client.Waiter
---@field private thread thread? who waits
local Waiter = { __name = "sprylua.client.Waiter" }
Waiter.__index = Waiter

local M = {}

---@return sprylua.client.Waiter
function M.new()
  return setmetatable({}, Waiter)
end

---Raises where nobody may wait.
---@param what string who waits, for messages
---@param level integer
function M.check(what, level)
  if not coroutine.isyieldable() then
    error(what .. " waits, which takes a coroutine: spry.spawn(function() … end)", level + 1)
  end
end

---Waits until `holds()`; the wait is a condition, so a stray resume does not end it.
---@param what string for messages
---@param holds fun(): any
---@param seconds number? without it for ever
---@return boolean met false: the time is up
function Waiter:wait(what, holds, seconds)
  if holds() then
    return true
  end
  M.check(what, 3)
  if self.thread then
    error(("another coroutine is waiting in %s already"):format(what), 3)
  end
  local late = false
  self.thread = coroutine.running()
  local _ <close> = tasks.defer(function()
    self.thread = nil
  end)
  local _ <close> = seconds and clock.after(seconds, function()
    late = true
    self:wake()
  end)
  local met
  repeat
    coroutine.yield()
    met = holds() -- once each time: it may take what it finds
  until met or late
  return met and true or false
end

---Lets whoever waits look again. Only the loop may call this: it runs that coroutine.
function Waiter:wake()
  if self.thread then
    tasks.wake(self.thread)
  end
end

return M
