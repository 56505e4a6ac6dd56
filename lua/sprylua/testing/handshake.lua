-- The client's part of a WebSocket handshake (RFC 6455, section 4.1).

local frames = require "sprylua.testing.frames"

local M = {}

---The headers of an upgrade request as a browser sends it, names in lower case.
---@param protocols string[]?
---@return table<string, string>
function M.headers(protocols)
  return {
    connection = "Upgrade",
    upgrade = "websocket",
    ["sec-websocket-version"] = "13",
    ["sec-websocket-key"] = frames.key,
    ["sec-websocket-protocol"] = protocols and #protocols > 0 and table.concat(protocols, ", ") or nil,
  }
end

---Raises when the server's 101 is not what was asked for.
---@param response sprylua.testing.Response
---@param opts { protocols: string[]?, headers: table? }
function M.check(response, opts)
  local accept, ownKey = response.headers:get "sec-websocket-accept", false
  for name in pairs(opts.headers or {}) do ownKey = ownKey or name:lower() == "sec-websocket-key" end
  if not ownKey and accept ~= frames.accept then
    error("the server's Sec-WebSocket-Accept is wrong: " .. tostring(accept), 0)
  end
  local protocol = response.headers:get "sec-websocket-protocol"
  for _, asked in ipairs(opts.protocols or {}) do
    if asked == protocol then return end
  end
  if protocol then error(("the server chose the subprotocol %q, which was not asked for"):format(protocol), 0) end
end

return M
