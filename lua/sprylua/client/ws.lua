-- The `ws` of a client: what Lua code holds of a connection to a WebSocket server. As the server's `ws`, it may be
-- kept, passed, and used from any coroutine; when its connection is gone it says so. One that nobody holds any more
-- closes.

local session = require "sprylua.websocket"

local M = {}

---@class sprylua.client.WebSocket
---@field protocol string? the subprotocol that was agreed on
---@field closed boolean nothing can be sent any more
---@field closeCode integer? once the close event was delivered
---@field closeReason string?
---@field bufferedAmount integer bytes that wait for the server
---@field locals table
---@field events sprylua.client.Events
local methods = {}
local fields = {}

-- What a ws is made of, apart from it: it has no fields of its own.
---@class sprylua.client.Parts
---@field link sprylua.client.Link
---@field protocol string?
---@field code integer? once the close event was delivered
---@field reason string?
---@field locals table
---@field events sprylua.client.Events?

---@type table<sprylua.client.WebSocket, sprylua.client.Parts>
local parts = setmetatable({}, { __mode = "k" })

local function of(ws, level)
  local self = parts[ws]
  if not self then
    error("a ws was expected: call its methods with a colon, as in ws:receive()", level or 3)
  end
  return self
end

-- ── reading ─────────────────────────────────────────────────────────────────

-- The next event, or nothing; the close event is the last.
local function take(self)
  local kind, data, reason = self.link:next()
  if kind == "close" then
    self.code, self.reason = data, reason
  end
  return kind, data, reason
end

local function wait(self, what, seconds)
  local kind, data, reason
  local met = self.link.reader:wait(what, function()
    kind, data, reason = take(self)
    return kind
  end, seconds)
  if not met then
    return nil, "timeout"
  end
  return kind, data, reason
end

---The next event: "text" or "binary" and the payload, or "close", code and reason; nil and "timeout" after `timeout`
---seconds. After the close event it raises.
---@param timeout number?
---@return string? kind
---@return any data
---@return string? reason
function methods.receive(ws, timeout)
  local self = of(ws)
  if timeout == math.huge then
    timeout = nil
  end
  if timeout ~= nil and not (type(timeout) == "number" and timeout >= 0 and timeout < 1e9) then
    error("ws:receive takes a number of seconds from 0 to 1e9", 2)
  elseif self.code then
    error("ws:receive after the close event: the session is over, return", 2)
  elseif timeout == 0 then
    local kind, data, reason = take(self)
    if not kind then
      return nil, "timeout"
    end
    return kind, data, reason
  end
  local kind, data, reason = wait(self, "ws:receive", timeout) -- no tail call: who waits holds the ws
  return kind, data, reason
end

---@class sprylua.client.Events `for kind, data in ws.events do`: ends after the close event
local Events = { __name = "sprylua.client.Events" }
Events.__index = Events

function Events:__call()
  local inner = of(self.ws)
  if inner.code then
    return nil
  end
  return wait(inner, "ws.events")
end

---Reads and drops until the close: its code and reason.
---@return integer code
---@return string reason
function Events:drain()
  local inner = of(self.ws)
  while not inner.code do
    wait(inner, "ws.events:drain")
  end
  return inner.code, inner.reason
end

-- ── writing ─────────────────────────────────────────────────────────────────

-- What the protocol refuses to send is a mistake of whoever called our caller.
local function call(ws, name, ...)
  local link = of(ws, 4).link
  local ok, sent, message = pcall(link[name], link, ...)
  if not ok then
    error(sent, 3)
  end
  return sent, message
end

---True · false: queued, but the server is slow · nil and "closed". A text that is not UTF-8 raises.
---@param text string
---@return boolean?, string?
function methods.sendText(ws, text)
  local sent, message = call(ws, "send", "sendText", text) -- no tail call: errors point at its caller
  return sent, message
end

---@param bytes string
---@return boolean?, string?
function methods.sendBinary(ws, bytes)
  local sent, message = call(ws, "send", "sendBinary", bytes) -- no tail call: errors point at its caller
  return sent, message
end

---@param value any
---@return boolean?, string?
function methods.sendJson(ws, value)
  of(ws)
  return session.methods.sendJson(ws, value) -- a tail call: errors point at its caller
end

---@param data string? up to 125 bytes
---@return boolean?, string?
function methods.ping(ws, data)
  local sent, message = call(ws, "ping", data) -- no tail call: errors point at its caller
  return sent, message
end

---Begins the closing handshake; the close event tells that it is over.
---@param code integer? 1000
---@param reason string? up to 123 bytes
---@return boolean?, string?
function methods.close(ws, code, reason)
  local sent, message = call(ws, "close", code, reason) -- no tail call: errors point at its caller
  return sent, message
end

---Waits while the server is slow.
---@return boolean?, string?
function methods.flush(ws)
  local link = of(ws).link
  link.writer:wait("ws:flush", function()
    return link:hasRoom()
  end)
  if link:isGone() then
    return nil, "closed"
  end
  return true
end

-- ── the object ──────────────────────────────────────────────────────────────

function fields.protocol(self)
  return self.protocol
end

function fields.closed(self)
  return self.link:isClosed()
end

function fields.closeCode(self)
  return self.code
end

function fields.closeReason(self)
  return self.reason
end

function fields.bufferedAmount(self)
  return self.link:queued()
end

function fields.locals(self)
  return self.locals
end

function fields.events(self, ws)
  self.events = self.events or setmetatable({ ws = ws }, Events)
  return self.events
end

local WebSocket = { __name = "sprylua.client.WebSocket" }

function WebSocket.__index(ws, key)
  if methods[key] then
    return methods[key]
  elseif not fields[key] then
    error(("a client's ws has no field %s"):format(tostring(key)), 2)
  end
  return fields[key](of(ws), ws)
end

function WebSocket.__newindex()
  error("a ws's fields can't be set: keep your own values in ws.locals", 2)
end

function WebSocket.__tostring(ws)
  return "ws to a server" .. (ws.closed and " (closed)" or "")
end

-- The end of its block, or below its collection: the connection ends in good order if it can, and by itself.
function WebSocket.__close(ws, err)
  local link = of(ws).link
  link:close(err ~= nil and 1011 or 1000)
  link:abandon()
end

function WebSocket.__gc(ws)
  parts[ws].link:forget()
end

---@param link sprylua.client.Link
---@param protocol string?
---@return sprylua.client.WebSocket
function M.new(link, protocol)
  local ws = setmetatable({}, WebSocket)
  parts[ws] = { link = link, protocol = protocol, locals = {} }
  return ws
end

return M
