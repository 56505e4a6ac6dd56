-- Waiting and background work for route authors: sleep, every, after, spawn, defer, over the process's clock.
-- A wait is a condition, not a message: sleep yields until its own timer has fired, so a stray `coroutine.resume` by
-- somebody else wakes nobody too early. What background code raises goes to the log and to `onError`, never further.

local causes = require "sprylua.cause"
local clock = require "sprylua.clock"
local core = require "sprylua.core"
local log = require "sprylua.log"
local message_handler = require "sprylua.message_handler"

local M = {}

---Called as `onError(cause, traceback)` for each error of a timer or a spawned function, after it was logged. The
---server puts the project's `hooks.onError` behind it.
---@type fun(cause: any, traceback: string)?
M.onError = nil

-- What xpcall hands back for an error: a table of ours, because the error itself may be anything.
---@class sprylua.Raised
---@field cause any
---@field traceback string
local Raised = {}

-- In one line: what a peer sent may be part of it.
local function raised_in(thread, cause, level)
  local text = log.escape(causes.describe(cause))
  return setmetatable({ cause = cause, traceback = debug.traceback(thread, text, level) }, Raised)
end

local traced = message_handler.own(function(cause)
  return raised_in(coroutine.running(), cause, 3)
end)

-- What ended a coroutine: traced already, or not, for no message handler runs when memory is out, and some
-- versions of Lua call none for the to-be-closed variables of a coroutine that is closed.
local function opened(thread, raised)
  return getmetatable(raised) == Raised and raised or raised_in(thread, raised)
end

-- What a coroutine died of goes to the log and to onError.
local function report(thread, cause)
  local raised = opened(thread, cause)
  log.error("background task: " .. raised.traceback)
  local hook = M.onError
  if not hook then return end
  local ok, problem = xpcall(hook, traced, raised.cause, raised.traceback)
  if not ok then log.error("onError itself raised: " .. opened(thread, problem).traceback) end
end

local function checkSeconds(name, seconds, least, level)
  if type(seconds) == "number" and seconds == seconds and seconds >= 0 and seconds < math.huge then
    if seconds > 0 or least == 0 then return end
  end
  local what = type(seconds) == "number" and tostring(seconds) or type(seconds)
  error(("%s needs a number of seconds, %s, not %s"):format(
    name, least == 0 and "0 or more" or "more than 0", what), level + 1)
end

---Raises what is wrong with what a task is to run, `level` calls further up.
---@param name string who takes it, for messages
---@param fn any
---@param level integer
local function checkFunction(name, fn, level)
  if type(fn) == "function" then return end
  local meta = getmetatable(fn)
  if type(meta) == "table" and meta.__call then return end
  error(("%s needs a function to call, not %s"):format(name, type(fn)), level + 1)
end

M.checkFunction = checkFunction

---The same for a timer's two arguments.
---@param name string
---@param seconds any
---@param least 0|1 0: no time at all is fine
---@param fn any
---@param level integer
local function checkTimer(name, seconds, least, fn, level)
  checkSeconds(name, seconds, least, level + 1)
  checkFunction(name, fn, level + 1)
end
M.checkTimer = checkTimer

-- ── who has made them ───────────────────────────────────────────────────────

local noted ---@type table[]? what is made while `noting`

local function note(made)
  if noted then noted[#noted + 1] = made end
  return made
end

---Calls `fn(...)`, which does not wait, and returns the tasks and timers that were made meanwhile, with its results.
---@param fn function
---@return { cancel: fun(self: table) }[] made
---@return any ...
function M.noting(fn, ...)
  local made, before = {}, noted
  noted = made
  local results = table.pack(pcall(fn, ...))
  noted = before
  if not results[1] then error(results[2], 0) end
  return made, table.unpack(results, 2, results.n)
end

-- ── tasks ───────────────────────────────────────────────────────────────────

---@class sprylua.Task
---@field done boolean it has returned, raised or been cancelled
local Task = {}
Task.__index = Task
Task.__name = "sprylua.Task"

---Ends the task where it waits; its `<close>` variables are closed. A task that runs at this moment (it cancels itself,
---say) ends at its next wait.
function Task:cancel()
  local thread = self.thread
  if self.done or not thread then return end
  if coroutine.status(thread) == "suspended" then
    self.done, self.thread = true, nil
    local ok, cause = coroutine.close(thread)
    if not ok then report(thread, cause) end
  elseif coroutine.status(thread) ~= "dead" and not self.ending then
    self.ending = true
    clock.after(0, function()
      self.ending = nil
      self:cancel()
    end)
  end
end

Task.__close = Task.cancel

-- `done`, if any, is called when it has returned or raised, before that is reported.
local function start(fn, done, ...)
  local task = setmetatable({ done = false }, Task)
  -- The error is caught inside the coroutine: whoever resumes it later (a timer, a message, another library) need not
  -- know that it is a task.
  local thread = coroutine.create(function(...)
    local ok, raised = xpcall(fn, traced, ...)
    task.done, task.thread = true, nil
    if done then done() end
    if not ok then report(coroutine.running(), raised) end
  end)
  task.thread = thread
  local ok, cause = coroutine.resume(thread, ...)
  if not ok then report(thread, cause) end
  return task
end

---Runs `fn(...)` as a coroutine of its own, at once until its first wait, then beside everything else.
---@param fn function
---@return sprylua.Task task its `:cancel()` ends it where it waits; also closable (`local task <close> = …`)
function M.spawn(fn, ...)
  checkFunction("spry.spawn", fn, 2)
  return note(start(fn, nil, ...))
end

-- ── waiting ─────────────────────────────────────────────────────────────────

---Resumes a coroutine that waits, from the event loop; what it dies of is reported.
---@param thread thread
function M.wake(thread)
  if coroutine.status(thread) ~= "suspended" then return end
  local ok, cause = coroutine.resume(thread)
  if ok then return end
  -- A coroutine that is nobody's task: without this its error would be lost, since nobody waits for this resume.
  report(thread, cause)
  coroutine.close(thread)
end

---Waits without blocking anyone. Call it in a handler, a session, a task: in a coroutine.
---@param seconds number
function M.sleep(seconds)
  checkSeconds("spry.sleep", seconds, 0, 2)
  if not coroutine.isyieldable() then
    error("spry.sleep waits, so call this in a coroutine: spry.spawn(function() … end)", 2)
  end
  local thread, due = coroutine.running(), false
  local _ <close> = clock.after(seconds, function()
    due = true
    M.wake(thread)
  end)
  repeat coroutine.yield() until due
end

---Calls `fn()` once after `seconds`, in a coroutine of its own.
---@param seconds number
---@param fn fun()
---@return sprylua.Timer
function M.after(seconds, fn)
  checkTimer("spry.after", seconds, 0, fn, 2)
  return note(clock.after(seconds, function() start(fn, core.interrupted) end))
end

---@class sprylua.Repeating
local Repeating = {}
Repeating.__index = Repeating
Repeating.__name = "sprylua.Repeating"

---No further tick; one that runs at this moment goes on to its end.
function Repeating:cancel()
  self.cancelled = true
  if self.timer then self.timer:cancel() end
end

Repeating.__close = Repeating.cancel

-- What was interrupted would be again at the next tick, and each time keep everybody waiting.
local function end_interrupted(self, fn, owner)
  if self.cancelled or not core.interrupted() then return end
  self:cancel()
  local at = type(fn) == "function" and debug.getinfo(fn, "S")
  local place = at and (" of %s:%d"):format(at.short_src, at.linedefined) or ""
  log.error(("the timer%s is cancelled, for it was interrupted: it ran for longer than limits.cpuTime"):format(place))
  if owner then owner:close(1011) end
end

---As `every`, for an owner: the timer ends when that is closed, and closes it with 1011 when it had to be interrupted.
---@param seconds number
---@param fn fun()
---@param owner { closed: boolean, close: fun(self: table, code: integer) }?
---@return sprylua.Repeating
function M.repeating(seconds, fn, owner)
  local self = setmetatable({}, Repeating)
  local due = clock.now() + seconds
  local running
  local function check() end_interrupted(self, fn, owner) end
  local function tick()
    if owner and owner.closed then return self:cancel() end
    -- Counted from the time the tick was due, so that many small delays do not add up; beats missed altogether (a
    -- long computation, a sleeping laptop) are not made up for.
    local now = clock.now()
    due = due + seconds
    if due <= now then due = now + seconds end
    self.timer = clock.after(due - now, tick)
    if running and not running.done and coroutine.status(running.thread) ~= "dead" then return end
    running = start(fn, check)
    check() -- it may have caught the error, and wait
  end
  self.timer = clock.after(seconds, tick)
  return note(self)
end

---Calls `fn()` every `seconds`, each tick in a coroutine of its own, so it may wait. A tick that is still running when
---the next is due is not run twice in parallel: that next one is left out. One that is interrupted is the last.
---@param seconds number
---@param fn fun()
---@return sprylua.Repeating
function M.every(seconds, fn)
  checkTimer("spry.every", seconds, 1, fn, 2)
  return M.repeating(seconds, fn)
end

---A closable that calls `fn(err)` at the end of its block, however the block ends: `local _ <close> = spry.defer(f)`.
---`err` is the error that ended the block, or nil.
---@param fn fun(err: any)
---@return table closable
function M.defer(fn)
  checkFunction("spry.defer", fn, 2)
  return setmetatable({}, {
    __name = "sprylua.Deferred",
    __close = function(_, err) fn(err) end,
  })
end

return M
