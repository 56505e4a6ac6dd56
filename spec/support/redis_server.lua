-- A real Redis server on a free port, with its data in a folder of its own. Only spec/socket uses this.

local program = require "spec.support.program"
local uv = require "luv"

local M = {}

---@class spec.Redis
---@field port integer
---@field url string
---@field private folder string
---@field private pid string?
---@field private options string further options of redis-server
---@field private auth string options of redis-cli
---@field private listens string the options for its port
local Redis = {}
Redis.__index = Redis

local function free_port()
  local tcp = uv.new_tcp()
  tcp:bind("127.0.0.1", 0)
  local port = tcp:getsockname().port
  tcp:close()
  return port
end

local function shell(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("\n$", ""))
end

local function wait(done, what)
  for _ = 1, 500 do
    if done() then return end
    os.execute "sleep 0.02"
  end
  error("waited in vain for " .. what, 3)
end

---What redis-cli prints.
---@param command string as for a shell
---@return string
function Redis:cli(command)
  return shell(("redis-cli -p %d %s %s 2>&1"):format(self.port, self.auth, command))
end

---Whether a script keeps it from answering.
---@return boolean
function Redis:busy()
  return shell(("timeout 0.2 redis-cli -p %d %s ping 2>&1"):format(self.port, self.auth)) ~= "PONG"
end

---Starts it with the data that it has; it may take a moment until it answers.
function Redis:launch()
  local command = ("redis-server %s --bind 127.0.0.1 --dir %s --save '' --appendonly yes "
    .. "--appendfsync always %s"):format(self.listens, self.folder, self.options)
  os.execute(("cd %s && { %s >log 2>&1 </dev/null & echo $! >pid; }"):format(self.folder, command))
  self.pid = shell(("cat %s/pid"):format(self.folder))
end

---Starts it, and waits until it answers.
function Redis:start()
  self:launch()
  wait(function() return self:cli "ping" == "PONG" end, "Redis")
end

---Kills it.
function Redis:crash()
  if self.pid then uv.kill(tonumber(self.pid), "sigkill") end
end

---Kills it, and waits for its end.
function Redis:kill()
  if not self.pid then return end
  self:crash()
  local pid = self.pid
  self.pid = nil
  -- Whoever has it as a child now may take his time to notice.
  wait(function()
    local state = shell(("cat /proc/%s/stat 2>/dev/null"):format(pid)):match "%) (%u)"
    return not state or state == "Z"
  end, "the end of Redis")
end

---Removes what it has kept; it is not to run.
function Redis:forget()
  os.execute(("rm -rf %s/appendonlydir"):format(self.folder))
end

function Redis:cleanup()
  self:kill()
  program.remove(self.folder)
end

---TLS, with a certificate and its key. Nothing else is listened to then.
---@param certificate string
---@param key string
---@param authority string
function Redis:encrypt(certificate, key, authority)
  self.listens = ("--port 0 --tls-port %d --tls-cert-file %s --tls-key-file %s --tls-ca-cert-file %s "
    .. "--tls-auth-clients no"):format(self.port, certificate, key, authority)
  self.auth = ("%s --tls --cacert %s"):format(self.auth, authority)
end

---@param opts { password: string?, stopped: boolean?, user: string? }? user: has all rights, and the password too
---@return spec.Redis
function M.start(opts)
  opts = opts or {}
  local password, port = opts.password, free_port()
  local user = opts.user and ("--user %s on '>%s' '~*' '&*' +@all"):format(opts.user, password) or ""
  local self = setmetatable({
    port = port, folder = program.folder(), listens = ("--port %d"):format(port),
    options = (password and "--requirepass " .. password or "") .. " " .. user,
    auth = password and "--no-auth-warning -a " .. password or "",
  }, Redis)
  self.url = ("redis://%s127.0.0.1:%d/0"):format(password and ("%s:%s@"):format(opts.user or "", password) or "", port)
  if not opts.stopped then self:start() end
  return self
end

return M
