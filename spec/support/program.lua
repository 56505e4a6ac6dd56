-- Runs the sprylua executable as a user would: a shell, arguments, exit codes, signals.
-- SPRYLUA_BIN names another one than build/bin/sprylua.

local M = {}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "a"
  file:close()
  return text
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function shell(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local here = shell("pwd"):gsub("\n", "")

---The executable, as an absolute path: specs change folders.
M.path = os.getenv "SPRYLUA_BIN" or "build/bin/sprylua"
if M.path:sub(1, 1) ~= "/" then M.path = here .. "/" .. M.path end

-- ── folders ─────────────────────────────────────────────────────────────────

---A new folder with these files in it, as { ["routes/index.lua"] = text }.
---@return string path
function M.folder(files)
  local folder = shell("mktemp -d"):gsub("\n", "")
  for name, text in pairs(files or {}) do
    local path = folder .. "/" .. name
    os.execute("mkdir -p " .. quoted(path:match "^(.*)/"))
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end
  return folder
end

function M.remove(folder)
  assert(folder:find "^/.+/.+")
  os.execute("rm -rf " .. quoted(folder))
end

-- ── running ─────────────────────────────────────────────────────────────────

-- The variables that the program reads must not come from whoever runs the specs.
local clean = "env -u PORT -u HOST -u SPRYLUA_PORT -u SPRYLUA_HOST -u SPRYLUA_LOG -u SPRYLUA_CONFIG -u SPRYLUA_WORKERS "

local function command_line(args, env)
  local words = { clean }
  for name, value in pairs(env or {}) do words[#words + 1] = name .. "=" .. quoted(value) end
  words[#words + 1] = quoted(M.path)
  for _, arg in ipairs(args) do words[#words + 1] = quoted(arg) end
  return table.concat(words, " ")
end

local function in_folder(folder)
  return folder and ("cd %s && "):format(quoted(folder)) or ""
end

---Runs it to its end.
---@param args string[]
---@param opts { folder: string?, env: table? }?
---@return { code: integer, out: string, err: string }
function M.run(args, opts)
  opts = opts or {}
  local err = os.tmpname()
  local out = shell(("%stimeout 60 %s 2>%s </dev/null; echo $?"):format(in_folder(opts.folder),
    command_line(args, opts.env), quoted(err)))
  local text, code = out:match "^(.-)(%d+)\n$"
  local result = { code = tonumber(code), out = text, err = read(err) }
  os.remove(err)
  return result
end

---@class spec.Program a server that runs
local Program = {}
Program.__index = Program

---Starts a server and waits until it listens.
---@param args string[]
---@param opts { folder: string?, env: table?, silent: boolean? }? silent: do not wait
---@return spec.Program
function M.start(args, opts)
  opts = opts or {}
  local files = shell("mktemp -d"):gsub("\n", "")
  -- exec keeps the pid: what is killed is the program itself. The outer 2> is for the shell's "Killed".
  local command = ([[( IN ( exec COMMAND ) >OUT/out 2>OUT/err </dev/null & echo $! >OUT/pid
    wait $!; echo $? >OUT/code ) 2>/dev/null &]])
  local words = { IN = in_folder(opts.folder), COMMAND = command_line(args, opts.env), OUT = files }
  os.execute((command:gsub("%u+", words)))
  local self = setmetatable({ files = files }, Program)
  self:wait(function() return read(files .. "/pid"):find "\n" end, "a process id")
  self.pid = read(files .. "/pid"):match "%d+"
  if not opts.silent then
    self:wait(function() return self:err():find "listens on %S+" end, "that it listens")
    self.url = self:err():match "listens on (%S+)"
    self.port = tonumber(self.url:match ":(%d+)/")
  end
  return self
end

function Program:out() return read(self.files .. "/out") end

function Program:err() return read(self.files .. "/err") end

function Program:exit_code() return tonumber(read(self.files .. "/code")) end

---Waits until `condition` holds; raises, with what the program said, when that takes more than ten seconds.
function Program:wait(condition, what)
  for _ = 1, 500 do
    local value = condition()
    if value then return value end
    os.execute "sleep 0.02"
  end
  error(("waited in vain for %s\nstdout: %s\nstderr: %s"):format(what, self:out(), self:err()), 2)
end

---Waits until it has said what matches, on stderr, and returns the match.
---@param pattern string
---@return string
function Program:says(pattern)
  return self:wait(function() return self:err():match(pattern) end, pattern)
end

function Program:signal(name)
  os.execute(("kill -%s %s"):format(name, self.pid))
end

---The processes that it has started and that have not ended.
---@return integer[]
function Program:children()
  local pids = {}
  for pid in read(("/proc/%s/task/%s/children"):format(self.pid, self.pid)):gmatch "%d+" do
    pids[#pids + 1] = tonumber(pid)
  end
  return pids
end

---Waits for its end.
---@return integer code
function Program:ended()
  return self:wait(function() return self:exit_code() end, "its end")
end

---What `GET path` answers, by curl: a client that this project did not write.
---@return string body
---@return integer status
function Program:get(path)
  local text = shell(("curl -s -m 10 -w '\\n%%{http_code}' %s"):format(quoted(self.url .. path:sub(2))))
  local body, status = text:match "^(.*)\n(%d+)$"
  return body, tonumber(status)
end

---For after_each: ends it if it still runs, and removes its files.
function Program:cleanup()
  if not self:exit_code() then
    self:signal "KILL"
    self:ended()
  end
  M.remove(self.files)
end

return M
