-- The client's end of a WebSocket in a spec: what `app:ws(path)` returns. It behaves as a browser would (masks, answers
-- pings, echoes a close), is strict about what the server sends, and can be told to misbehave.

local connections = require "sprylua.testing.connection"
local frames = require "sprylua.testing.frames"
local world = require "sprylua.testing.world"

local M = {}

---@class sprylua.testing.Session
---@field response sprylua.testing.Response the 101
---@field protocol string? the subprotocol that the server chose
---@field closed boolean a close frame came, or the connection is gone
---@field closeCode integer? what the server closed with; 1006 when it just went
---@field closeReason string?
---@field frames sprylua.testing.Frame[] every frame the server sent
---@field pings string[] payloads of the server's pings
---@field pongs string[] payloads of the server's pongs
---@field connection sprylua.testing.Connection
local Session = {}
Session.__index = Session
Session.__name = "sprylua.testing.Session"

local function broke(rule, frame)
  local text = "the server broke RFC 6455, section %s, in a %s frame of %d bytes"
  error(text:format(rule, frame.name, #frame.payload), 0)
end

local function check(self, frame)
  if frame.masked then broke("5.1 (a server does not mask)", frame) end
  if frame.rsv ~= 0 then broke("5.2 (a reserved bit without an extension)", frame) end
  if not frame.minimal then broke("5.2 (a length in more bytes than needed)", frame) end
  if frame.opcode >= 8 and (not frame.fin or #frame.payload > 125) then broke("5.5 (control frames)", frame) end
  if self.closeCode then broke("5.5.1 (no frame after the close)", frame) end
end

local function ended(self, code, reason)
  if self.closed then return end
  self.closed, self.closeCode, self.closeReason = true, code, reason
end

local on = {}

function on.ping(self, frame)
  self.pings[#self.pings + 1] = frame.payload
  if self.answersPings and not self.sentClose then self:sendFrame { opcode = "pong", payload = frame.payload } end
end

function on.pong(self, frame)
  self.pongs[#self.pongs + 1] = frame.payload
end

function on.close(self, frame)
  if #frame.payload == 1 then broke("5.5.1 (a close of one byte)", frame) end
  local code, reason = frames.parseClose(frame.payload)
  ended(self, code, reason)
  if not self.sentClose and self.answersClose then
    self.sentClose = true
    self:sendFrame { opcode = "close", payload = frame.payload }
  end
end

local function message(self, frame)
  if frame.name == "continuation" then
    if not self.partial then broke("5.4 (nothing to continue)", frame) end
  else
    if self.partial then broke("5.4 (a message inside a message)", frame) end
    self.partial = { kind = frame.name }
  end
  local parts = self.partial
  parts[#parts + 1] = frame.payload
  if not frame.fin then return end
  self.partial = nil
  local data = table.concat(parts)
  if parts.kind == "text" and not utf8.len(data) then broke("5.6 (a text that is not UTF-8)", frame) end
  self.inbox[#self.inbox + 1] = { data = data, kind = parts.kind }
end

on.text, on.binary, on.continuation = message, message, message

local function feed(self, bytes)
  self.bytes = self.bytes .. bytes
  local at = 1
  while true do
    local frame, next = frames.decode(self.bytes, at)
    if not frame then break end
    at = next
    self.frames[#self.frames + 1] = frame
    check(self, frame)
    local handle = on[frame.name]
    if not handle then broke("5.2 (an unknown opcode)", frame) end
    handle(self, frame)
  end
  self.bytes = self.bytes:sub(at)
end

---@class sprylua.testing.SessionOptions
---@field pong boolean? false: pings are not answered, as by a peer that died
---@field echo boolean? false: the server's close is not answered

---@param connection sprylua.testing.Connection after its 101
---@param response sprylua.testing.Response
---@param opts sprylua.testing.SessionOptions
---@return sprylua.testing.Session
function M.new(connection, response, opts)
  local self = setmetatable({
    connection = connection, response = response,
    protocol = response.headers:get "sec-websocket-protocol",
    closed = false, frames = {}, pings = {}, pongs = {},
    inbox = {}, bytes = "",
    answersPings = opts.pong ~= false, answersClose = opts.echo ~= false,
  }, Session)
  connection.onBytes = function(bytes) feed(self, bytes) end
  feed(self, connection:take())
  return self
end

-- ── sending ─────────────────────────────────────────────────────────────────

---Sends one frame as described (see sprylua.testing.frames.encode), right or wrong.
---@param frame sprylua.testing.FrameOptions
function Session:sendFrame(frame)
  local connection = self.connection
  if connection:closed() then return end -- as on a socket: nobody is there to notice
  connection.peer:feed(frames.encode(frame))
end

local function send(self, frame)
  self:sendFrame(frame)
  world.settle()
end

---@param text string
function Session:sendText(text)
  send(self, { opcode = "text", payload = text })
end

---@param bytes string
function Session:sendBinary(bytes)
  send(self, { opcode = "binary", payload = bytes })
end

---@param value any
function Session:sendJson(value)
  send(self, { opcode = "text", payload = require("sprylua.json").encode(value) })
end

---@param data string?
function Session:ping(data)
  send(self, { opcode = "ping", payload = data })
end

---Sends bytes as they are.
---@param bytes string
function Session:send(bytes)
  self.connection:send(bytes)
end

---Sends a close frame; the server's answer is in `closeCode` then.
---@param code integer? 1000
---@param reason string?
function Session:close(code, reason)
  if self.sentClose then return end
  self.sentClose = true
  send(self, { opcode = "close", payload = frames.closePayload(code or 1000, reason) })
end

---The connection is lost without a close frame.
function Session:hangup()
  self.connection:hangup()
  ended(self, 1006, "")
end

Session.__close = Session.hangup

-- ── receiving ───────────────────────────────────────────────────────────────

local function describe(self)
  local list = {}
  for i = math.max(1, #self.frames - 4), #self.frames do
    local frame = self.frames[i]
    local text = frame.payload:sub(1, 60)
    list[#list + 1] = frame.name .. " " .. ("%q"):format(#frame.payload > 60 and text .. "…" or text)
  end
  if #list == 0 then return "nothing came at all" end
  return ("%d frame(s) had come: %s%s"):format(#self.frames, #self.frames > 5 and "…, " or "", table.concat(list, ", "))
end

---The next message: `data, kind` ("text" or "binary"). After the server's close: `nil, "close", code, reason`, every
---time. Waits 1 s (of the spec's clock) and raises with what did come before; with a `timeout` given it returns
---`nil, "timeout"` instead, so `receive(0)` is "is there something?".
---@param timeout number?
---@return string? data
---@return "text"|"binary"|"close"|"timeout" kind
---@return integer? code
---@return string? reason
function Session:receive(timeout)
  local item = world.wait(function()
    if #self.inbox > 0 then return table.remove(self.inbox, 1) end
    if not self.closed and self.connection:closed() then ended(self, 1006, "") end
    if self.closed then return false end
  end, timeout or 1)
  if item then return item.data, item.kind end
  if item == false then return nil, "close", self.closeCode, self.closeReason end
  if timeout then return nil, "timeout" end
  error(("no message came within a second, and the connection is open; %s%s"):format(
    describe(self), connections.lastLines(self.connection.app)), 2)
end

---The next message, decoded as JSON.
---@param timeout number?
---@return any
function Session:receiveJson(timeout)
  local data, kind, code = self:receive(timeout)
  if not data then
    error(("a JSON message was expected, but there was a %s%s"):format(kind, code and " with " .. code or ""), 2)
  end
  return require("sprylua.json").decode(data)
end

return M
