-- What all testing apps of a process share: the manual clock, the list of apps and of clients, and the one loop that
-- makes things happen while a spec waits. Nothing runs behind a spec's back: only calls into here move anything.

local clock = require "sprylua.clock"

local M = {}

---@type sprylua.ManualClock the process's clock from the first testing app on
M.clock = clock.manual()

local apps = setmetatable({}, { __mode = "k" }) -- app → { started, moved (ms): how far its own clock has come }
local closing = {} -- apps that are closed, but whose handlers have not all ended
local clients = {} -- client → true while it is connected

local installed = false

local function install()
  if installed then return end
  installed = true
  clock.use(M.clock)
  local log = require "sprylua.log"
  -- What the server says during a spec belongs to the spec: every app that lives keeps it in its `log`.
  log.sink = function(line)
    for app in pairs(apps) do app.log[#app.log + 1] = line end
  end
end

M.install = install

---Settings over the defaults; raises at `level` (as in error) when they are wrong.
---@param settings table?
---@param level integer
---@return table
function M.settings(settings, level)
  local complete, problems = require("sprylua.config").complete(settings)
  if not complete then error("config: " .. table.concat(problems, "; "), level + 1) end
  return complete
end

---Makes an app part of the world. `app.core` is its core.app.
function M.addApp(app)
  install()
  apps[app] = { started = M.clock.now(), moved = 0 }
end

local function isIdle(app)
  local stats = app.core:stats()
  return stats.connections == 0 and stats.tasks == 0
end

local function forgetIdle()
  for app in pairs(closing) do
    if isIdle(app) then closing[app], apps[app] = nil, nil end
  end
end

---Takes an app out of the world, as soon as nothing of it runs any more.
function M.removeApp(app)
  closing[app] = true
  forgetIdle()
end

---Makes a client part of the world: its `pump()` is called whenever the server may have written; it returns whether
---anything came.
function M.addClient(client)
  clients[client] = true
end

function M.removeClient(client)
  clients[client] = nil
end

-- ── making things happen ────────────────────────────────────────────────────

local function snapshot(set)
  local list = {}
  for item in pairs(set) do list[#list + 1] = item end
  return list
end

---Lets everybody do what can be done at this moment, without any time passing.
function M.settle()
  for _ = 1, 1000 do
    local moved = false
    for _, app in ipairs(snapshot(apps)) do
      if app.core:settle() then moved = true end -- it may have published to another app's sessions
    end
    for _, client in ipairs(snapshot(clients)) do
      if client:pump() then moved = true end
    end
    if not moved then return end
  end
end

local function moveTo(target)
  M.clock:advanceTo(target)
  for app, state in pairs(apps) do
    -- In whole milliseconds counted from the app's start, so that many small steps do not add up to an error.
    local due = math.floor((target - state.started) * 1000 + 1e-6)
    if due > state.moved then
      local step = due - state.moved
      state.moved = due
      app.core:advance(step / 1000)
    end
  end
  M.settle()
end

-- When the next timer or the next deadline of an app is due, whichever comes first; math.huge: there is none.
local function nextDue()
  local now, timer = M.clock.now(), M.clock:next()
  local at = timer and now + timer or math.huge
  for app in pairs(apps) do
    local deadline = app.core:next()
    -- An app counts whole milliseconds, so it may be a fraction of one behind.
    if deadline then at = math.min(at, now + math.max(deadline, 0.001)) end
  end
  return at
end

-- Takes one step on the way to `target`.
local function step(target)
  moveTo(math.min(target, nextDue()))
end

local polling = false -- a coroutine waits in runLoop for the program's own loop to go round

---Whether somebody in here is waiting already, and will move time himself.
---@return boolean
function M.isPolling()
  return polling
end

---For who runs the specs, when one of them waits outside of any call into here (it sleeps, say): moves time on to
---whatever comes next. False when nothing will, ever.
---@return boolean
function M.stepOn()
  M.settle()
  local at = nextDue()
  if at == math.huge then return false end
  moveTo(at)
  return true
end

---Moves time on by `seconds`, for the timers of the routes and the deadlines of the server, in step with each other.
---@param seconds number
function M.advance(seconds)
  install()
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error(("clock:advance needs a number of seconds, 0 or more, not %s"):format(tostring(seconds)), 3)
  end
  local target = M.clock.now() + seconds
  M.settle()
  repeat step(target) until M.clock.now() >= target
end

---Whether work of luv's is under way in this process.
---@return boolean
function M.isBusy()
  local uv = package.loaded.luv
  return uv ~= nil and uv.loop_alive()
end

-- Work of luv's (a route may read a file, ask a database): real time for it.
local function runLoop(milliseconds)
  if not M.isBusy() then return false end
  local uv = package.loaded.luv
  local guard, fired, thread = uv.new_timer(), false, coroutine.running()
  guard:start(milliseconds, 0, function()
    fired = true
    if coroutine.status(thread) == "suspended" then coroutine.resume(thread) end
  end)
  -- The guard is one handle more, so "once" returns when it fires at the latest. Inside `sprylua test` the loop is
  -- the program's own, which nobody else may run: there the spec's coroutine waits, and the loop goes on.
  local ran = pcall(uv.run, "once")
  if not ran and coroutine.isyieldable() then
    polling = true
    repeat coroutine.yield() until fired
    polling = false
  end
  guard:close()
  if ran then pcall(uv.run, "nowait") end
  return true
end

---Waits until `done()` returns something other than nil, and returns that; nil when `limit` simulated seconds were
---not enough. First what is ready, then up to a second of real time for luv, then simulated time, timer by timer.
---@param done fun(): any
---@param limit number
---@return any
function M.wait(done, limit)
  M.settle()
  local result = done()
  if result ~= nil then return result end
  local real = package.loaded.luv and package.loaded.luv.hrtime() or 0
  while limit > 0 and runLoop(10) do
    M.settle()
    result = done()
    if result ~= nil then return result end
    if package.loaded.luv.hrtime() - real > 1e9 then break end
  end
  local target = M.clock.now() + limit
  while M.clock.now() < target do
    step(target)
    result = done()
    if result == nil and runLoop(1) then
      M.settle()
      result = done()
    end
    if result ~= nil then return result end
  end
end

---Hangs up every client of one app.
function M.hangup(app)
  for _, client in ipairs(snapshot(clients)) do
    if client.app == app then client:hangup() end
  end
  M.settle()
end

-- ── between specs ───────────────────────────────────────────────────────────

---Hangs up every client that is left, lets the server notice, and gives what still waits (a handler that sleeps) the
---time it asked for, at most `limit` (3600) simulated seconds. Apps stay.
---@param limit number?
function M.reset(limit)
  local core = require "sprylua.core"
  for _, client in ipairs(snapshot(clients)) do client:hangup() end
  M.settle()
  local target = M.clock.now() + (limit or 3600)
  while M.clock.now() < target and core.stats().tasks > 0 do
    runLoop(1)
    step(target)
  end
  forgetIdle()
  for app in pairs(apps) do app.log = {} end
end

return M
