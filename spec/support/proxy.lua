-- A TCP proxy in the spec's process that can be killed and come back at the same port: what a bad network does to a
-- connection, while the server behind it lives.

local uv = require "luv"

local M = {}

---@class spec.Proxy
---@field port integer
local Proxy = {}
Proxy.__index = Proxy

local function close(handle)
  if not handle:is_closing() then handle:close() end
end

local function pump(from, to)
  from:read_start(function(problem, bytes)
    if problem or not bytes then
      close(from)
      close(to)
    elseif not to:is_closing() then
      to:write(bytes)
    end
  end)
end

local function relay(self, client)
  local upstream = uv.new_tcp()
  self.open[client], self.open[upstream] = true, true
  upstream:connect("127.0.0.1", self.target, function(problem)
    if problem or client:is_closing() then
      close(client)
      close(upstream)
      return
    end
    pump(client, upstream)
    pump(upstream, client)
  end)
end

---Stands between clients and the port `target` of this machine.
---@param target integer
---@return spec.Proxy
function M.start(target)
  local self = setmetatable({ target = target, port = 0, open = {} }, Proxy)
  self:resume()
  return self
end

---Listens, again at the port that it had.
function Proxy:resume()
  self.listener = uv.new_tcp()
  assert(self.listener:bind("127.0.0.1", self.port))
  assert(self.listener:listen(64, function()
    local client = uv.new_tcp()
    self.listener:accept(client)
    relay(self, client)
  end))
  self.port = self.listener:getsockname().port
end

---Drops every connection, and refuses new ones.
function Proxy:kill()
  close(self.listener)
  for handle in pairs(self.open) do close(handle) end
  self.open = {}
end

Proxy.__close = Proxy.kill

return M
