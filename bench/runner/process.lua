-- Processes: started on a core of their own, looked at through /proc, and ended whatever happens.

local uv = require "luv"

local M = {}

local running = {} -- those that were started and have not ended, by pid
local signals = {} -- held, or they would be collected

---How many cores there are to be shared out.
M.cores = #uv.cpu_info()

-- ── waiting ─────────────────────────────────────────────────────────────────

---Runs the loop until `condition()` gives something true, which is returned, or until the time is over.
function M.wait(seconds, condition)
  local expired = false
  local timer = uv.new_timer()
  -- It repeats, because a run of the loop that begins with its callback would then wait for something else.
  timer:start(math.ceil(seconds * 1000), 10, function() expired = true end)
  local value = condition()
  while not value and not expired do
    uv.run "once"
    value = condition()
  end
  timer:close()
  return value
end

function M.sleep(seconds)
  M.wait(seconds, function() return false end)
end

-- ── starting ────────────────────────────────────────────────────────────────

---@class bench.Process
---@field pid integer
---@field code integer? once it has ended
---@field lines string[] what it has written to standard output or error, as far as nobody has taken it
local Process = {}
Process.__index = Process

-- What puts a program on a core, and lets it die with us even when nobody can ask us to clean up.
local function pinned(words, core)
  if not core or M.cores < 2 then return words end
  return table.move(words, 1, #words, 7, { "setpriv", "--pdeathsig", "KILL", "taskset", "-c", tostring(core) })
end

local function environment(extra)
  local list = {}
  for name, value in pairs(uv.os_environ()) do
    if not extra[name] then list[#list + 1] = name .. "=" .. value end
  end
  for name, value in pairs(extra) do list[#list + 1] = name .. "=" .. value end
  return list
end

function Process:collect(pipe)
  local rest = ""
  pipe:read_start(function(_, text)
    if not text then return pipe:close() end
    rest = (rest .. text):gsub("([^\n]*)\n", function(line)
      self.lines[#self.lines + 1] = line
      return ""
    end)
  end)
end

---@param words string[] the program and its arguments
---@param options { core: integer?, environment: table?, folder: string? }
---@return bench.Process
function M.start(words, options)
  words = pinned(words, options.core)
  local self = setmetatable({
    lines = {}, input = uv.new_pipe(), output = uv.new_pipe(), errors = uv.new_pipe(),
  }, Process)
  local handle, pid = uv.spawn(words[1], {
    args = table.move(words, 2, #words, 1, {}),
    stdio = { self.input, self.output, self.errors },
    env = environment(options.environment or {}),
    cwd = options.folder,
    detached = true, -- a group of its own, to be ended with all that it starts
  }, function(code, signal)
    self.code = signal > 0 and 128 + signal or code
    self.handle:close()
    running[self.pid] = nil
  end)
  if not handle then error(("cannot start %s: %s"):format(words[1], pid), 0) end
  self.handle, self.pid = handle, pid
  running[pid] = self
  self:collect(self.output)
  self:collect(self.errors)
  return self
end

---Is there such a program?
function M.exists(name)
  return os.execute("command -v " .. name .. " >/dev/null") == true
end

-- It has ended, and all that it wrote is here.
function Process:is_over()
  return self.code and self.output:is_closing() and self.errors:is_closing()
end

---The next line that it writes; nil when it has ended, or when the time is over.
function Process:line(seconds)
  M.wait(seconds, function() return self.lines[1] or self:is_over() end)
  return table.remove(self.lines, 1)
end

-- ── ending ──────────────────────────────────────────────────────────────────

-- Its group too: a server may have workers.
local function kill(pid, signal)
  uv.kill(-pid, signal)
end

---Ends it, politely first.
function Process:stop()
  if not self.input:is_closing() then self.input:close() end
  local function ended() return self:is_over() end
  if not self.code then kill(self.pid, "sigterm") end
  if M.wait(3, ended) then return end
  kill(self.pid, "sigkill")
  M.wait(3, ended)
end

local function kill_all()
  for pid in pairs(running) do kill(pid, "sigkill") end
end

---From now on Ctrl-C and the like end everything that was started, call `clean`, and end us.
function M.guard(clean)
  for name, number in pairs { sigint = 2, sigterm = 15, sighup = 1 } do
    local signal = uv.new_signal()
    signals[#signals + 1] = signal
    signal:unref()
    signal:start(name, function()
      kill_all()
      clean()
      os.exit(128 + number)
    end)
  end
end

-- ── looking at it ───────────────────────────────────────────────────────────

local function read(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "a"
  file:close()
  return text
end

local function entries(folder)
  local request = uv.fs_scandir(folder)
  return function() return request and uv.fs_scandir_next(request) end
end

-- Calls `visit` with the /proc folder of each thread of a process and of its children.
local function each_thread(pid, visit)
  local tasks = ("/proc/%d/task"):format(pid)
  for thread in entries(tasks) do
    local folder = tasks .. "/" .. thread
    visit(folder)
    for child in read(folder .. "/children"):gmatch "%d+" do each_thread(child, visit) end
  end
end

---Processor time that it has used, in seconds.
function Process:cpu_seconds()
  local total = 0
  each_thread(self.pid, function(folder)
    total = total + tonumber(read(folder .. "/schedstat"):match "^%d+" or 0)
  end)
  return total / 1e9
end

---Memory in KiB: "VmRSS", what is resident now, or "VmHWM", the most that ever was.
function Process:memory(kind)
  local total = 0
  each_thread(self.pid, function(folder)
    local process, thread = folder:match "^/proc/(%d+)/task/(%d+)$"
    if process == thread then
      total = total + tonumber(read(folder .. "/status"):match(kind .. ":%s+(%d+)") or 0)
    end
  end)
  return total
end

return M
