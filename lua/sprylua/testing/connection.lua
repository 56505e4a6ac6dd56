-- One connection of a testing app, seen from the client: raw bytes in both directions, HTTP answers parsed.
-- The server's side is the same C code as behind a socket (`core.connect`); only the transport is memory.

local http = require "sprylua.testing.http"
local world = require "sprylua.testing.world"

local M = {}

---@class sprylua.testing.Connection
---@field parser sprylua.testing.Parser what the server sent and nobody has asked for
---@field onBytes fun(bytes: string)? takes the bytes instead of the parser (after an upgrade)
---@field onHangup fun()? called before the connection is hung up
local Connection = {}
Connection.__index = Connection
Connection.__name = "sprylua.testing.Connection"

---@return sprylua.testing.Connection
function M.open(app)
  local self = setmetatable({
    app = app,
    peer = require("sprylua.core").connect(app.core),
    parser = http.parser(),
  }, Connection)
  world.addClient(self)
  return self
end

---Called by the world: takes what the server wrote.
function Connection:pump()
  if self.stalled then return false end
  local bytes = self.peer:take()
  if bytes == "" then
    if self.peer:closed() then world.removeClient(self) end
    return false
  end
  if self.onBytes then self.onBytes(bytes) else self.parser:feed(bytes) end
  return true
end

---Sends bytes as they are, and lets the server do what it can do with them at once.
---@param bytes string
function Connection:send(bytes)
  if self.gone then error("this connection has been hung up", 2) end
  self.peer:feed(bytes)
  world.settle()
end

---Whether the server has closed its side.
---@return boolean
function Connection:closed()
  return self.gone or self.peer:closed()
end

---The bytes that came and were not parsed yet; they are taken.
---@return string
function Connection:take()
  world.settle()
  local bytes = self.parser.bytes
  self.parser.bytes = ""
  return bytes
end

---The next complete answer; raises when none comes within `limit` (120) simulated seconds.
---@param method string? of the request that it answers
---@param limit number?
---@return sprylua.testing.Response
function Connection:answer(method, limit)
  limit = limit or 120
  local closed
  local response = world.wait(function()
    closed = self:closed()
    local answer = self.parser:answer(method or "GET", closed)
    if answer == nil and closed then return false end
    return answer
  end, limit)
  if response then return response end
  local got = ("%d bytes came%s"):format(#self.parser.bytes,
    self.parser.bytes == "" and "" or ": " .. ("%q"):format(self.parser.bytes:sub(1, 200)))
  if closed then error("the server closed the connection before its answer was complete; " .. got, 0) end
  error(("no complete answer within %g simulated seconds; %s%s"):format(limit, got, M.lastLines(self.app)), 0)
end

---The client says that it sends no more (end of file).
function Connection:finish()
  if self.gone then return end
  self.peer:finish()
  world.settle()
end

---The client stops reading, so that the server meets a slow peer; `stall(false)`: it goes on.
---@param on boolean?
function Connection:stall(on)
  self.stalled = on ~= false
  self.peer:stall(self.stalled)
  world.settle()
end

---The connection is lost: nothing more arrives on either side.
function Connection:hangup()
  if self.gone then return end
  self:pump()
  self.gone = true
  world.removeClient(self)
  if self.onHangup then self.onHangup() end
  self.peer:hangup()
  world.settle()
end

---For error messages: what the server said last, on lines of its own.
---@return string
function M.lastLines(app)
  if #app.log == 0 then return "" end
  local lines = table.move(app.log, math.max(1, #app.log - 2), #app.log, 1, {})
  return "\nthe server's log ends with:\n  " .. table.concat(lines, "\n  ")
end

return M
