-- A TCP server inside the spec's process that does what a spec tells it, byte for byte: the peer that a client should
-- not meet. It speaks as little WebSocket as the spec wants.

local frames = require "sprylua.testing.frames"
local server = require "spec.support.server"
local uv = require "luv"

local M = {}

---@class spec.Peer one connection, seen from the server
---@field received string what came and was not taken
---@field ended boolean the client has closed its side
local Peer = {}
Peer.__index = Peer

function Peer:send(bytes)
  if not self.tcp:is_closing() then self.tcp:write(bytes, function() end) end
end

---One frame, unmasked unless the frame says otherwise.
function Peer:frame(frame)
  frame.mask = frame.mask or false
  self:send(frames.encode(frame))
end

---The head of the request, once it has come; false when the client went away.
function Peer:head()
  return server.wait(function()
    local _, stop = self.received:find("\r\n\r\n", 1, true)
    if not stop then return self.ended and "" or nil end
    local head = self.received:sub(1, stop)
    self.received = self.received:sub(stop + 1)
    return head
  end, "handshake from the client")
end

---The answer that the client's key deserves; `change` may spoil it.
---@param change (fun(text: string): string)?
function Peer:accept(change)
  local key = self:head():match "[Ss]ec%-[Ww]eb[Ss]ocket%-[Kk]ey: (%S+)"
  local accept = require("sprylua.core").accept(key)
  local text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: " .. accept .. "\r\n\r\n"
  self:send(change and change(text) or text)
end

---The next frame from the client.
---@return sprylua.testing.Frame
function Peer:next()
  return server.wait(function()
    local frame, next = frames.decode(self.received)
    if frame then self.received = self.received:sub(next) end
    return frame
  end, "frame from the client")
end

function Peer:waitForEnd(seconds)
  server.wait(function() return self.ended end, "end of the client's connection", seconds)
end

function Peer:close(reset)
  if self.tcp:is_closing() then return end
  if reset then self.tcp:close_reset() else self.tcp:close() end
end

---@class spec.PeerServer
---@field port integer
---@field peers spec.Peer[]
local PeerServer = {}
PeerServer.__index = PeerServer

---Listens on a free port of `host`.
---@param host string?
---@return spec.PeerServer
function M.listen(host)
  local self = setmetatable({ peers = {}, tcp = uv.new_tcp() }, PeerServer)
  assert(self.tcp:bind(host or "127.0.0.1", 0))
  assert(self.tcp:listen(16, function()
    local tcp = uv.new_tcp()
    self.tcp:accept(tcp)
    local peer = setmetatable({ tcp = tcp, received = "", ended = false }, Peer)
    tcp:read_start(function(problem, bytes)
      if bytes and not problem then
        peer.received = peer.received .. bytes
      else
        peer.ended, peer.failed = true, problem
      end
    end)
    self.peers[#self.peers + 1] = peer
  end))
  self.port = self.tcp:getsockname().port
  self.url = ("ws://127.0.0.1:%d/"):format(self.port)
  return self
end

---The next connection.
---@return spec.Peer
function PeerServer:peer()
  self.taken = (self.taken or 0) + 1
  return server.wait(function() return self.peers[self.taken] end, "connection from the client")
end

function PeerServer:close()
  for _, peer in ipairs(self.peers) do peer:close() end
  if not self.tcp:is_closing() then self.tcp:close() end
end

PeerServer.__close = PeerServer.close

return M
