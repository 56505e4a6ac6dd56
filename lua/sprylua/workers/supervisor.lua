-- The process above the workers of a server. It makes no use of the project's code: it starts workers, each with a
-- listening socket that outlives it; replaces those that die; and, when the project has changed, brings in a new
-- generation before it sends the old one away.

local clock = require "sprylua.clock"
local downlink = require "sprylua.workers.downlink"
local identity = require "sprylua.identity"
local log = require "sprylua.log"
local member = require "sprylua.workers.member"
local relay = require "sprylua.workers.relay"
local uv = require "luv"

local M = {}

---@class sprylua.Worker a process
---@field number integer its place, from 1
---@field generation integer
---@field pid integer
---@field state "starting"|"serving"|"leaving"|"gone"
---@field since number when it was started
---@field link sprylua.Downlink
---@field greeted boolean? it has loaded the project, and may listen from now on
---@field name string? which others know it by, over Redis
---@field overdue boolean? it has not left in time
---@field private handle table luv's
---@field private patience sprylua.Timer?

---@class sprylua.SupervisorOptions
---@field arguments string[] the command line of a worker, without the program
---@field descriptors integer[] of the sockets, one for each worker
---@field timeout number seconds that a worker has to leave
---@field check fun(): boolean whether the settings are sound; it says what is wrong with them
---@field ready fun(announcement: string) called once, when all serve
---@field ended fun(code: integer) called once, when none is left

---@class sprylua.Supervisor
---@field workers table<sprylua.Worker, true> all that live
---@field private options sprylua.SupervisorOptions
---@field private name string what tells this server from others, also on other machines
---@field private count integer of workers that are to serve
---@field private generation integer the one that serves, 0 before the first does
---@field private coming { ready: integer, slow: boolean, patience: sprylua.Timer }? the next one, while it starts
---@field private relay sprylua.Relay what they have in common
---@field private delays number[] by place: how long the next one waits, if this one dies young too
---@field private code integer? what to end with; stopping
local Supervisor = {}
Supervisor.__index = Supervisor

local YOUNG = 5 -- seconds
local FIRST_DELAY, LONGEST_DELAY = 0.1, 10 -- seconds
local GRACE = 2 -- seconds that a worker has beyond its time to leave, before it is killed
local SLOW = 10 -- seconds after which a start is worth a word, and another HUP does not wait for it

local GOING_AWAY, SERVICE_RESTART = 1001, 1012 -- RFC 6455 section 7.4.1, and IANA's registry

-- ── a process ───────────────────────────────────────────────────────────────

local function environment(self, number)
  local list = { member.VARIABLE .. "=" .. member.describe(number, self.name, not self.started) }
  for name, value in pairs(uv.os_environ()) do
    list[#list + 1] = name .. "=" .. value
  end
  return list
end

-- Runs the program; nil when that can't be done.
local function spawn(self, worker)
  local ends, problem = uv.socketpair("stream", 0, { nonblock = true }, { nonblock = true })
  if not ends then
    log.error(("worker %d can't be started: %s"):format(worker.number, tostring(problem)))
    return nil
  end
  local handle, pid = uv.spawn(uv.exepath(), {
    args = self.options.arguments,
    env = environment(self, worker.number),
    stdio = { 0, 1, 2, self.options.descriptors[worker.number], ends[2] },
  }, function(code, signal)
    worker.handle:close()
    self:exited(worker, code, signal)
  end)
  uv.fs_close(ends[2])
  if handle then
    worker.handle, worker.pid = handle, pid
    return ends[1]
  end
  uv.fs_close(ends[1])
  log.error(("worker %d can't be started: %s"):format(worker.number, tostring(pid)))
end

local function start(self, number, generation)
  local worker = { number = number, generation = generation, state = "starting", since = clock.now() }
  local descriptor = spawn(self, worker)
  if not descriptor then
    return self:lost(worker, "was not started", 1)
  end
  self.started = true
  worker.link = downlink.open(descriptor, {
    receive = function(what, ...)
      self:heard(worker, what, ...)
    end,
    pressed = function()
      self.relay:balance()
    end,
    stuck = function()
      log.error(("worker %d (process %d) hears nothing any more, so it is killed"):format(number, worker.pid))
      uv.kill(worker.pid, "sigkill")
    end,
  })
  self.workers[worker] = true
  self.relay:add(worker)
end

-- Tells a worker to leave, and sees to it that it does. The scope is "app" for the one that says so for all.
local function dismiss(self, worker, code, scope)
  if worker.state == "leaving" then
    return
  end
  -- One that can't serve yet has nobody to wait for.
  local time = worker.greeted and self.options.timeout + GRACE or GRACE
  worker.state = "leaving"
  worker.link:send("dismiss", tostring(code), scope or "")
  worker.patience = clock.after(time, function()
    log.warn(("worker %d (process %d) did not end in time, so it is killed"):format(worker.number, worker.pid))
    worker.overdue = true
    uv.kill(worker.pid, "sigkill")
  end)
end

-- ── generations ─────────────────────────────────────────────────────────────

local function say_that_it_is_slow(self)
  local advice = self.generation > 0
      and ": the code from before goes on serving, and another HUP begins anew" or ""
  log.warn(("not all workers of the new code serve after %d s, so the top of a file, onStart or Redis takes long%s")
    :format(SLOW, advice))
end

-- The first worker of a generation shows whether its code is sound; the others come when it serves.
local function bring_in(self)
  self.coming = { ready = 0, slow = false }
  local coming = self.coming
  coming.patience = clock.after(SLOW, function()
    coming.slow = true
    say_that_it_is_slow(self)
  end)
  start(self, 1, self.generation + 1)
end

local function end_coming(self)
  self.coming.patience:cancel()
  self.coming = nil
end

local function take_over(self)
  local first = self.generation == 0
  self.generation = self.generation + 1
  end_coming(self)
  for worker in pairs(self.workers) do
    if worker.generation < self.generation then
      dismiss(self, worker, SERVICE_RESTART)
    end
  end
  if first then
    self.options.ready(self.announcement)
  else
    log.info "the new code serves"
  end
  if self.again then
    self.again = false
    self:reload()
  end
end

-- The next generation comes to nothing.
local function give_up(self, why)
  end_coming(self)
  for worker in pairs(self.workers) do
    if worker.generation > self.generation then
      dismiss(self, worker, SERVICE_RESTART)
    end
  end
  log.error(why .. ": the code from before goes on serving")
end

---Brings in the project as it is now. What serves goes on until that serves.
function Supervisor:reload()
  if self.code then
    return
  elseif self.coming and self.coming.slow and self.generation > 0 then
    give_up(self, "HUP has come again")
    self:reload()
  elseif self.coming then
    self.again = true
  elseif self.options.check() then
    bring_in(self)
  else
    log.error "the settings are not sound: what was there before goes on serving"
  end
end

-- Who comes from here on is refused by the kernel: nobody would answer.
local function stop_listening(self)
  for _, descriptor in ipairs(self.options.descriptors) do
    uv.fs_close(descriptor)
  end
  self.options.descriptors = {}
end

---Sends all workers away.
function Supervisor:stop()
  self.code = self.code or 0
  if self.coming then
    end_coming(self)
  end
  stop_listening(self)
  local speaker
  for worker in pairs(self.workers) do
    if worker.state == "serving" and worker.generation == self.generation then
      speaker = worker
    end
  end
  for worker in pairs(self.workers) do
    dismiss(self, worker, GOING_AWAY, worker == speaker and "app" or nil)
  end
  if not next(self.workers) then
    self.options.ended(self.code)
  end
end

---Ends all of them at once.
function Supervisor:kill()
  for worker in pairs(self.workers) do
    uv.kill(worker.pid, "sigkill")
  end
end

-- ── what workers say, and their ends ────────────────────────────────────────

local heard = {}

function heard.ready(self, worker, announcement)
  if worker.state ~= "starting" then
    return
  end
  worker.state = "serving"
  if self.coming and worker.generation > self.generation then
    local ready = self.coming.ready + 1
    self.coming.ready = ready
    if ready == 1 then
      self.announcement = announcement
      for number = 2, self.count do
        start(self, number, worker.generation)
      end
    end
    if ready == self.count then
      take_over(self)
    end
  end
end

---A worker has sent a message.
function Supervisor:heard(worker, what, ...)
  local listener = heard[what]
  if listener then
    listener(self, worker, ...)
  else
    self.relay:heard(worker, what, ...)
  end
end

-- Starts another one in the place of one that has died: at once, unless they die young.
local function replace(self, worker)
  local number = worker.number
  local delay = clock.now() - worker.since < YOUNG and self.delays[number] or 0
  self.delays[number] = delay == 0 and FIRST_DELAY or math.min(delay * 2, LONGEST_DELAY)
  local function again()
    if not self.code and worker.generation == self.generation then -- else the place is taken
      start(self, number, worker.generation)
    end
  end
  if delay == 0 then
    return again()
  end
  log.warn(("worker %d dies young again and again: the next one starts in %g s"):format(number, delay))
  clock.after(delay, again)
end

---A worker has ended without being told to, or could not be started.
function Supervisor:lost(worker, how, code)
  local what = ("worker %d (process %s) %s"):format(worker.number, worker.pid or "-", how)
  if worker.generation <= self.generation then
    log.error(what)
    replace(self, worker)
  elseif self.generation > 0 then
    give_up(self, what)
  else -- it has said why
    self.code = code
    self:stop()
  end
end

---A process has ended.
function Supervisor:exited(worker, code, signal)
  local told, failed = worker.state == "leaving", code ~= 0 or signal ~= 0
  local how = signal ~= 0 and ("was killed by signal %d"):format(signal) or ("ended with code %d"):format(code)
  worker.state = "gone"
  worker.link:finish()
  self.workers[worker] = nil
  self.relay:remove(worker)
  if worker.patience then
    worker.patience:cancel()
  end
  if not told and not self.code then
    return self:lost(worker, how, code ~= 0 and code or 1)
  elseif failed and not worker.overdue then
    log.error(("worker %d (process %d), which was leaving, %s"):format(worker.number, worker.pid, how))
  end
  if self.code and not next(self.workers) then
    self.options.ended(self.code)
  end
end

---Starts the workers.
---@param options sprylua.SupervisorOptions
---@return sprylua.Supervisor
function M.start(options)
  local self = setmetatable({
    options = options, count = #options.descriptors, workers = {}, generation = 0, delays = {}, relay = relay.new(),
    name = identity.new(),
  }, Supervisor)
  collectgarbage "generational" -- nearly all that it makes is gone in a moment
  bring_in(self)
  return self
end

return M
