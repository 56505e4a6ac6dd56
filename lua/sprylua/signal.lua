-- Coroutines that wait for something to change, woken together from the event loop: whoever says that it has changed
-- is not held up by them, and nothing runs before he is done.

local clock = require "sprylua.clock"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Signal
local Signal = {}
Signal.__index = Signal

---@return sprylua.Signal
function M.new()
  return setmetatable({ waiting = {} }, Signal)
end

local function wake_all(waiting)
  for place in pairs(waiting) do
    if not place.left then
      tasks.wake(place.thread)
    end
  end
end

---Wakes everybody who waits, at once. Only the loop may call this: it runs those coroutines.
function Signal:wake()
  local waiting = self.waiting
  self.waiting = {}
  wake_all(waiting)
end

---Wakes everybody who waits, once, soon.
function Signal:notify()
  if self.timer or not next(self.waiting) then
    return
  end
  self.timer = clock.after(0, function()
    self.timer = nil
    self:wake()
  end)
end

-- A place among those who wait: left at the end of the wait, also when the coroutine is closed in the middle of it.
local Place = {}

function Place:__close()
  self.left = true
  self.signal.waiting[self] = nil
end

local function take_place(self)
  return setmetatable({ signal = self, thread = coroutine.running(), left = false }, Place)
end

local function after(seconds, fn)
  return seconds and clock.after(seconds, fn) or nil
end

---Waits until `done()`, which is asked whenever the signal is given, or for `timeout` seconds.
---@param done fun(): boolean
---@param timeout number?
---@return boolean done
function Signal:wait(done, timeout)
  if done() then
    return true
  end
  local place <close> = take_place(self)
  local due = false
  local timer <close> = after(timeout, function()
    due = true
    tasks.wake(place.thread)
  end)
  repeat
    if due then
      return false
    end
    self.waiting[place] = true
    coroutine.yield()
  until done()
  return true
end

return M
