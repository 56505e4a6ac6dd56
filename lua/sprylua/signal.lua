-- Coroutines that wait for something to change, woken together from the event loop: whoever says that it has changed
-- is not held up by them, and nothing runs before he is done.

local clock = require "sprylua.clock"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Signal
---@field private waiting table<sprylua.Place, true>
---@field private spare table<sprylua.Place, true>? empty; as large as the one in use has been
local Signal = {}
Signal.__index = Signal

---@return sprylua.Signal
function M.new()
  return setmetatable({ waiting = {} }, Signal)
end

---Wakes everybody who waits, at once. Only the loop may call this: it runs those coroutines.
function Signal:wake()
  local waiting = self.waiting
  self.waiting, self.spare = self.spare or {}, nil -- they may wait again
  for place in pairs(waiting) do
    waiting[place] = nil
    if not place.left then
      tasks.wake(place.thread)
    end
  end
  self.spare = waiting
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

---A place among those who wait, for the coroutine that is running: closable, and to be closed, so that it is left also
---when the coroutine is closed in the middle of a wait.
---@class sprylua.Place
---@field private signal sprylua.Signal
---@field private thread thread
---@field private left boolean
local Place = {}
Place.__index = Place

function Place:__close()
  self.left = true
  self.signal.waiting[self] = nil
end

---@return sprylua.Place
function Signal:place()
  return setmetatable({ signal = self, thread = coroutine.running(), left = false }, Place)
end

local yield = coroutine.yield

---Waits until `done()`, which is asked whenever the signal is given.
---@param done fun(): boolean
function Place:wait(done)
  while not done() do
    self.signal.waiting[self] = true
    yield()
  end
end

---The same for at most `timeout` seconds.
---@param done fun(): boolean
---@param timeout number?
---@return boolean done
function Signal:wait(done, timeout)
  local place <close> = self:place()
  local due = false
  local timer <close> = timeout and clock.after(timeout, function()
    due = true
    tasks.wake(place.thread)
  end) or nil
  local is_done
  place:wait(function()
    is_done = done()
    return is_done or due
  end)
  return is_done
end

return M
