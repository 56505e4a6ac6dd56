-- The client's side of the WebSocket opening handshake (RFC 6455 section 4.1), as text: the request, and what the
-- answer must be. It does no I/O.

local core = require "sprylua.core"
local headers = require "sprylua.headers"

local M = {}

---Bytes that the heads of the answer may have together.
M.MAX = 16384

---@class sprylua.client.Answer what a server says to a handshake
---@field status integer
---@field reason string
---@field headers sprylua.Headers

-- Fields that are the handshake's own.
local OURS = {
  "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
  "sec-websocket-extensions", "content-length", "transfer-encoding",
}

---What is wrong with the header fields that a user wants to send, or nil.
---@param fields sprylua.Headers
---@return string?
function M.problemIn(fields)
  for _, name in ipairs(OURS) do
    if fields:has(name) then
      return ("the header %s is the handshake's own"):format(name)
    end
  end
end

---16 random bytes in base64.
---@return string
function M.key()
  return core.crypto.base64url(core.crypto.random(16)):gsub("[-_]", { ["-"] = "+", _ = "/" }) .. "=="
end

---The request.
---@param target sprylua.client.Target
---@param key string
---@param opts { headers: sprylua.Headers, protocols: string[]?, origin: string? }
---@return string
function M.request(target, key, opts)
  local lines = { ("GET %s HTTP/1.1"):format(target.path) }
  local function add(name, value)
    lines[#lines + 1] = name .. ": " .. value
  end
  if not opts.headers:has("host") then
    add("Host", target.authority)
  end
  add("Upgrade", "websocket")
  add("Connection", "Upgrade")
  add("Sec-WebSocket-Key", key)
  add("Sec-WebSocket-Version", "13")
  if opts.protocols and #opts.protocols > 0 then
    add("Sec-WebSocket-Protocol", table.concat(opts.protocols, ", "))
  end
  if opts.origin then
    add("Origin", opts.origin)
  end
  for name, value in pairs(opts.headers) do
    add(name, value)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- ── the answer ──────────────────────────────────────────────────────────────

local NO_HTTP = "the server's answer to the handshake is not HTTP/1.1"

local function parse_head(head)
  local status, reason, rest = head:match("^HTTP/1%.1 (%d%d%d) ?([^\r\n]*)\r\n(.*)$")
  if not status then
    return nil, NO_HTTP
  end
  local fields = headers.from {}
  for line, stop in rest:gmatch("([^\n]*)(\n?)") do
    if stop == "" then
      break
    end
    local name, value = line:match("^([^:]+):[ \t]*(.-)[ \t]*\r$")
    if not headers.isToken(name) or value:find("[%z\1-\8\10-\31\127]") then
      return nil, "the server's answer to the handshake has a malformed header line"
    end
    fields:append(name, value)
  end
  return { status = tonumber(status), reason = reason, headers = fields }
end

-- Whether it may still become "HTTP/1.1 ": what begins otherwise is not waited for.
local function begins_well(bytes)
  local start = "HTTP/1.1 "
  return bytes:sub(1, #start) == start:sub(1, #bytes)
end

---The server's answer from the bytes that have come. Nothing while it is not complete.
---@param bytes string
---@return sprylua.client.Answer|nil|false answer false: it is none
---@return string? rest what came behind it, or what is wrong
function M.parse(bytes)
  local at = 1
  while true do
    if not begins_well(bytes:sub(at, at + 8)) then
      return false, NO_HTTP
    end
    local _, stop = bytes:find("\r\n\r\n", at, true)
    if (stop or #bytes) > M.MAX then
      return false, "the server's answer to the handshake is too long"
    elseif not stop then
      return nil
    end
    local answer, problem = parse_head(bytes:sub(at, stop - 2))
    if not answer then
      return false, problem
    elseif answer.status >= 200 or answer.status == 101 then
      return answer, bytes:sub(stop + 1)
    end
    at = stop + 1 -- an interim answer, such as 103
  end
end

local function lists(fields, name, wanted)
  for item in (fields:get(name) or ""):gmatch("[^,]+") do
    if item:match("^%s*(.-)%s*$"):lower() == wanted then
      return true
    end
  end
  return false
end

local function refusal(answer)
  local location = answer.headers:get("location")
  if location and answer.status >= 300 and answer.status < 400 then
    return ("the server redirects to %s (%d), which a WebSocket does not follow"):format(location, answer.status)
  end
  local said = answer.reason ~= "" and answer.status .. " " .. answer.reason or answer.status
  return ("the server answered %s to the WebSocket handshake"):format(said)
end

-- What the answer to a handshake with `key` lacks, or nil.
local function flaw(answer, key)
  local fields = answer.headers
  local accept = fields:getAll("sec-websocket-accept")
  if answer.status ~= 101 then
    return refusal(answer)
  elseif (fields:get("upgrade") or ""):lower() ~= "websocket" then
    return "the server switched to another protocol than websocket"
  elseif not lists(fields, "connection", "upgrade") then
    return "the server's 101 has no Connection: Upgrade"
  elseif #accept ~= 1 or accept[1] ~= core.accept(key) then
    return "the server's Sec-WebSocket-Accept does not answer our key: it is no WebSocket server, or a cache answered"
  elseif fields:get("sec-websocket-extensions") then
    return "the server chose an extension that was not offered"
  end
end

---Whether the answer makes a WebSocket of the connection.
---@param answer sprylua.client.Answer
---@param key string
---@param offered string[]? subprotocols
---@return boolean ok
---@return string? detail the subprotocol that was agreed on, or what is wrong
function M.check(answer, key, offered)
  local problem = flaw(answer, key)
  if problem then
    return false, problem
  end
  local chosen = answer.headers:getAll("sec-websocket-protocol")
  if #chosen == 0 then
    return true
  end
  for _, name in ipairs(offered or {}) do
    if #chosen == 1 and name == chosen[1] then
      return true, name
    end
  end
  return false, "the server chose a subprotocol that was not offered"
end

return M
