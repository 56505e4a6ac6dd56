-- A WebSocket client for a terminal: lua5.4 client.lua [path] [subprotocol]; PORT says where (4000).
-- It connects, says "Hello Spry!", prints what comes for two seconds, and closes. Needs luv (Debian: lua-luv).
local folder = arg[0]:match "^(.*)/" or "."
package.path = folder .. "/../../lua/?.lua;" .. package.path

local uv = require "luv"
local frames = require "sprylua.testing.frames"

local path, protocol = arg[1] or "/chat", arg[2]
local port = tonumber(os.getenv "PORT") or 4000
local socket, received, open = uv.new_tcp(), "", false

local function finish(code, ...)
  print(...)
  socket:close()
  uv.run "nowait"
  os.exit(code)
end

local function send(frame)
  socket:write(frames.encode(frame))
end

local function handshake()
  local lines = {
    ("GET %s HTTP/1.1"):format(path), ("Host: localhost:%d"):format(port),
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " .. frames.key,
    protocol and "Sec-WebSocket-Protocol: " .. protocol or nil,
  }
  socket:write(table.concat(lines, "\r\n") .. "\r\n\r\n")
end

local function opened(head)
  open = true
  local chosen = head:lower():match "sec%-websocket%-protocol: ([^\r\n]+)"
  print("Connected to WebSocket server, subprotocol: " .. (chosen or "none"))
  send { opcode = "text", payload = "Hello Spry!" }
  print "Sent: Hello Spry!"
  uv.new_timer():start(2000, 0, function() send { opcode = "close", payload = frames.closePayload(1000) } end)
end

local function readHead()
  local head, rest = received:match "^(.-\r\n\r\n)(.*)$"
  if not head then return end
  if head:match "^HTTP/1.1 101" then
    received = rest
    return opened(head)
  end
  local length = tonumber(head:lower():match "content%-length: (%d+)") or 0
  if #rest >= length then
    finish(1, ("Failed to connect: not upgraded, HTTP status code: %s\n%s"):format(head:match "%d%d%d", rest))
  end
end

local function readFrames()
  while true do
    local frame, next = frames.decode(received)
    if not frame then return end
    received = received:sub(next)
    if frame.name == "text" then
      print("Received: " .. frame.payload)
    elseif frame.name == "ping" then
      send { opcode = "pong", payload = frame.payload }
    elseif frame.name == "close" then
      finish(0, "Connection closed gracefully, code " .. frames.parseClose(frame.payload))
    end
  end
end

socket:connect("127.0.0.1", port, function(problem)
  if problem then finish(1, "Failed to connect: " .. problem) end
  handshake()
  socket:read_start(function(failure, bytes)
    if failure or not bytes then finish(1, "WebSocket error: " .. (failure or "the server closed the connection")) end
    received = received .. bytes
    if not open then readHead() end
    if open then readFrames() end
  end)
end)

uv.run()
