-- The process's clock: timers behind two functions, so that a spec can be the one who moves time.
-- The server's clock is made of luv timers; luv is required when the first timer is made, so that code which only
-- computes needs no event loop. A manual clock stands still until someone advances it.

local M = {}

---@class sprylua.Timer
---@field cancel fun(self: sprylua.Timer) it will not fire any more; harmless when it has fired
local Timer = {}
Timer.__index = Timer
Timer.__name = "sprylua.Timer"

---Ends the timer. May be called more than once, from its own callback too.
function Timer:cancel()
  local stop = self.stop
  if stop then
    self.stop = nil
    stop()
  end
end

Timer.__close = Timer.cancel

local function checkSeconds(seconds, level)
  local number = type(seconds) == "number"
  if not number or seconds ~= seconds or seconds < 0 or seconds == math.huge then
    local what = number and tostring(seconds) or type(seconds)
    error(("a number of seconds, 0 or more, was expected, not %s"):format(what), level + 1)
  end
end

local function checkFunction(fn, level)
  if type(fn) ~= "function" then
    error(("a function to call was expected, not %s"):format(type(fn)), level + 1)
  end
end

-- ── the real clock ──────────────────────────────────────────────────────────

local LONGEST = 1e12 -- seconds; libuv counts milliseconds in 64 bits

local real = {}

function real.now()
  return require("luv").hrtime() / 1e9
end

function real.time_of_day()
  return os.time()
end

-- Milliseconds for a timer that starts now. luv counts from the loop's cached time, which a computation leaves behind;
-- to bring that up to date here would let timers that start timers keep the loop in their round for ever, as 0 would.
local function delay(uv, seconds)
  local behind = uv.hrtime() / 1e6 - uv.now()
  return math.max(1, math.ceil(math.min(seconds, LONGEST) * 1000 + behind))
end

function real.after(seconds, fn)
  checkSeconds(seconds, 2)
  checkFunction(fn, 2)
  local uv = require "luv"
  local handle = uv.new_timer()
  local function stop()
    if handle and not handle:is_closing() then
      handle:stop()
      handle:close()
    end
    handle = nil
  end
  local timer = setmetatable({ stop = stop }, Timer)
  handle:start(delay(uv, seconds), 0, function()
    timer:cancel()
    fn()
  end)
  return timer
end

-- ── a manual clock ──────────────────────────────────────────────────────────

---@class sprylua.ManualClock
local Manual = {}
Manual.__index = Manual
Manual.__name = "sprylua.ManualClock"

---A clock that stands at `start` (0) until `advance` is called.
---@param start number?
---@return sprylua.ManualClock
function M.manual(start)
  local self = setmetatable({ time = start or 0, timers = {}, made = 0, fired = 0 }, Manual)
  -- `clock.after` is called without a self, whichever clock is the current one.
  self.now = function() return self.time end
  local offset = os.time() - self.time
  self.time_of_day = function() return math.floor(offset + self.time) end
  self.after = function(seconds, fn)
    checkSeconds(seconds, 2)
    checkFunction(fn, 2)
    self.made = self.made + 1
    -- A loop around sleep(0) would keep this instant for ever: after a thousand timers time creeps on.
    if seconds == 0 and self.fired > 1000 then seconds = 0.001 end
    local entry = { due = self.time + seconds, order = self.made, fn = fn }
    self.timers[entry] = true
    return setmetatable({ stop = function() self.timers[entry] = nil end }, Timer)
  end
  return self
end

local function earliest(self)
  local first
  for entry in pairs(self.timers) do
    if not first or entry.due < first.due or (entry.due == first.due and entry.order < first.order) then
      first = entry
    end
  end
  return first
end

---Seconds until the next timer is due (0 when it is late), nil when there is none.
---@return number?
function Manual:next()
  local entry = earliest(self)
  return entry and math.max(0, entry.due - self.time)
end

---How many timers wait.
---@return integer
function Manual:pending()
  local n = 0
  for _ in pairs(self.timers) do n = n + 1 end
  return n
end

---Moves time on to `target`. Every timer that falls due on the way fires, the earliest first and at its own time, those
---made while firing included.
---@param target number
function Manual:advanceTo(target)
  if self.firing then error("the clock is being advanced already: a timer's callback cannot advance it", 2) end
  self.firing, self.fired = true, 0
  local _ <close> = setmetatable({}, { __close = function() self.firing, self.fired = false, 0 end })
  while true do
    local entry = earliest(self)
    if not entry or entry.due > target then break end
    self.timers[entry] = nil
    if entry.due > self.time then self.time, self.fired = entry.due, 0 end
    self.fired = self.fired + 1
    entry.fn()
  end
  self.time = math.max(self.time, target)
end

---Moves time on by `seconds`, as advanceTo.
---@param seconds number
function Manual:advance(seconds)
  checkSeconds(seconds, 2)
  self:advanceTo(self.time + seconds)
end

-- ── the current one ─────────────────────────────────────────────────────────

local current = real

---Makes `clock` (nil: the real one) the process's clock and returns the one it was.
---@param clock sprylua.ManualClock?
function M.use(clock)
  local before = current
  current = clock or real
  return before
end

---What `use` has been given last, to tell whether a timer that somebody keeps still runs.
---@return table
function M.current()
  return current
end

---Seconds on a clock that only goes forward; where it starts says nothing.
---@return number
function M.now()
  return current.now()
end

---The time of day, as os.time gives it. Where a clock is moved by hand it moves along.
---@return integer
function M.time()
  return current.time_of_day()
end

---Calls `fn` once, from the event loop, after `seconds`. `fn` must not raise: sprylua.tasks wraps what users give.
---@param seconds number
---@param fn fun()
---@return sprylua.Timer
function M.after(seconds, fn)
  checkSeconds(seconds, 2)
  checkFunction(fn, 2)
  return current.after(seconds, fn)
end

return M
