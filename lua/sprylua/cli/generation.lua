-- Code that is about to serve, serves or has served: a project as it was loaded, with its hooks and timers. onStart
-- runs before it serves; onStop when nothing of it runs any more, or when the server stops; each of them once.

local clock = require "sprylua.clock"
local hooks = require "sprylua.cli.hooks"
local log = require "sprylua.log"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Generation
---@field loaded sprylua.Loaded
---@field config table
---@field configPath string?
---@field private timers table[] what its files and its onStart have started
---@field private stopping boolean onStop has begun
---@field private stopped boolean
---@field private waiting fun()[] called when it has stopped
local Generation = {}
Generation.__index = Generation

---@param timers table[] tasks too
function M.cancel(timers)
  for _, timer in ipairs(timers) do
    timer:cancel()
  end
end

---@param opened sprylua.Project
---@param timers table[] what its files have started while they were loaded
---@return sprylua.Generation
function M.new(opened, timers)
  return setmetatable({
    loaded = opened.loaded, config = opened.config, configPath = opened.configPath, timers = timers,
    stopping = false, stopped = false, waiting = {},
  }, Generation)
end

---Runs onStart, and waits for it.
---@return string? problem what it raised
function Generation:start()
  local caller = coroutine.running()
  local done, waits, problem = false, false, nil
  -- A task of its own, so that what it starts until it waits can be told from what others start.
  local made = tasks.noting(tasks.spawn, function()
    problem = hooks.run(self.loaded, "onStart")
    done = true
    if waits then
      tasks.wake(caller)
    end
  end)
  table.move(made, 1, #made, #self.timers + 1, self.timers)
  waits = not done
  while not done do
    coroutine.yield()
  end
  return problem
end

---It serves no more, or never will: ends its timers, and its onStart where that waits.
function Generation:cancel()
  M.cancel(self.timers)
  self.timers = {}
end

local function finish(self)
  self.stopped = true
  for _, done in ipairs(self.waiting) do
    done()
  end
end

-- An onStop that does not return in time is ended where it waits.
local function run_on_stop(self)
  local task
  local patience = clock.after(self.config.shutdownTimeout, function()
    log.warn "onStop did not return within shutdownTimeout, so it is ended where it waits"
    task:cancel()
    finish(self)
  end)
  task = tasks.spawn(function()
    local problem = hooks.run(self.loaded, "onStop")
    patience:cancel()
    if problem then
      log.error(problem)
    end
    finish(self)
  end)
end

---Runs onStop, unless it has run or runs already. Calls `done` when it has returned.
---@param done fun()?
function Generation:stop(done)
  if self.stopped then
    return done and done()
  end
  self.waiting[#self.waiting + 1] = done
  if not self.stopping then
    self.stopping = true
    run_on_stop(self)
  end
end

return M
