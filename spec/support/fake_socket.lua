-- Stands where sprylua.client.socket stands: a spec plays the server, without a socket. Modules that are named are
-- loaded anew, so that they use it.

local M = {}

local NAME = "sprylua.client.socket"

---@class spec.FakeSocket
---@field sent string what was written and not taken
---@field writes integer
---@field closed boolean
---@field stuck boolean nothing that is written goes out
local FakeSocket = {}
FakeSocket.__index = FakeSocket

function FakeSocket:read(back) self.back = back end

function FakeSocket:write(bytes)
  assert(not self.closed)
  self.sent, self.writes = self.sent .. bytes, self.writes + 1
end

function FakeSocket:queued() return self.stuck and #self.sent or 0 end

function FakeSocket:keepalive() end

function FakeSocket:close() self.closed = true end

---The server says this; nil: it has closed.
function FakeSocket:says(bytes) self.back(bytes) end

---What has been written since the last time.
function FakeSocket:take()
  local bytes = self.sent
  self.sent = ""
  return bytes
end

---@class spec.FakeSockets
---@field opened spec.FakeSocket[]
---@field problem string? instead of a socket

---Gives modules that use this; `restore()` puts the real ones back.
---@param names string[]
---@return spec.FakeSockets fake
---@return table<string, table> modules
---@return fun() restore
function M.beneath(names)
  local fake, modules, before = { opened = {} }, {}, {}
  local function replace(name, module)
    before[name], package.loaded[name] = package.loaded[name] or false, module
  end
  replace(NAME, {
    open = function()
      if fake.problem then return nil, fake.problem end
      local socket = setmetatable({ sent = "", writes = 0, closed = false, stuck = false }, FakeSocket)
      fake.opened[#fake.opened + 1] = socket
      return socket
    end,
  })
  for _, name in ipairs(names) do replace(name, nil) end
  for _, name in ipairs(names) do modules[name] = require(name) end
  return fake, modules, function()
    for name, module in pairs(before) do package.loaded[name] = module or nil end
  end
end

return M
