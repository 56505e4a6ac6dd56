-- `event.ws:upgrade(session, opts)`: whether this request may become a WebSocket, and as what. The checks of RFC 6455
-- are C's; the policy (origins, subprotocols, options) is here. A refusal is an HTTPError that says what was wrong.

local core = require "sprylua.core"
local headers = require "sprylua.headers"
local http_error = require "sprylua.http_error"
local log = require "sprylua.log"
local message_compression = require "sprylua.message_compression"
local option_rules = require "sprylua.options"
local registry = require "sprylua.registry"
local response = require "sprylua.response"
local same_host = require("sprylua.origin").sameHost

local M = {}

---@class sprylua.UpgradeOptions
---@field protocol string|string[]|nil a subprotocol, or a list in order of preference
---@field requireProtocol boolean? a client that asked for none of them is refused
---@field origins "*"|string[]|nil which pages may connect; by default those of the same host
---@field maxMessage integer? bytes
---@field maxBuffered integer? bytes
---@field onSlow "close"|"drop"|nil
---@field pingInterval number? seconds
---@field deadAfter number? seconds
---@field compress boolean|sprylua.MessageCompression|nil
---@field headers table? for the 101

local function list_of_strings(value)
  if type(value) ~= "table" then
    return false
  end
  local count = 0
  for _, item in pairs(value) do
    count = count + 1
    if type(item) ~= "string" or value[count] == nil then
      return false
    end
  end
  return true
end

local function bytes(value)
  value = option_rules.whole(value)
  return math.type(value) == "integer" and value >= 1 and value <= option_rules.MOST,
    ("a whole number of bytes from 1 to %d"):format(option_rules.MOST)
end

local function seconds(value)
  return type(value) == "number" and value > 0 and value < math.huge, "a number of seconds, more than 0"
end

local function boolean(value)
  return type(value) == "boolean", "true or false"
end

local function protocol(value)
  local ok = headers.isToken(value) or list_of_strings(value)
  for _, name in ipairs(type(value) == "table" and value or {}) do
    ok = ok and headers.isToken(name)
  end
  return ok, "the name of a subprotocol such as \"chat\", or a list of them"
end

local rules = {
  protocol = protocol,
  requireProtocol = boolean,
  origins = function(value)
    return value == "*" or list_of_strings(value), "\"*\" or a list such as { \"https://example.org\" }"
  end,
  maxMessage = bytes,
  maxBuffered = bytes,
  onSlow = function(value)
    return value == "close" or value == "drop", "\"close\" or \"drop\""
  end,
  pingInterval = seconds,
  deadAfter = seconds,
  compress = function(value)
    local wanted = message_compression.wanted(value)
    return not wanted, wanted
  end,
  headers = function(value)
    return type(value) == "table", "a table of header fields"
  end,
}

local KNOWN = "protocol, requireProtocol, origins, maxMessage, maxBuffered, onSlow, pingInterval, deadAfter, compress "
  .. "and headers"

-- What is wrong with the call itself, a mistake of the route's author, or nil.
local function misuse(session, options)
  if type(session) ~= "function" then
    return ("event.ws:upgrade takes a function(ws), not a %s"):format(type(session))
  elseif type(options) ~= "table" then
    return ("the options of event.ws:upgrade are a table, not a %s"):format(type(options))
  end
  for key, value in pairs(options) do
    local rule = rules[key]
    if not rule then
      return ("event.ws:upgrade has no option %s; it takes %s"):format(tostring(key), KNOWN)
    end
    local ok, wanted = rule(value)
    if not ok then
      return ("the option %s of event.ws:upgrade must be %s"):format(key, wanted)
    end
  end
  if options.requireProtocol and not options.protocol then
    return "the option requireProtocol of event.ws:upgrade needs the option protocol beside it"
  end
end

-- The server writes these itself, and what begins with sec-websocket-.
local OURS = {
  connection = true, upgrade = true, date = true, ["keep-alive"] = true, ["content-length"] = true,
  ["transfer-encoding"] = true,
}

-- The header fields of the options, or nil and what is wrong with them.
local function read_headers(given)
  local fields, problem = headers.from(given)
  for name in pairs(fields or {}) do
    if name:find "^sec%-websocket%-" or OURS[name] then
      return nil, ("the option headers of event.ws:upgrade has %s, which the server writes itself"):format(name)
    end
  end
  return fields, problem
end

local REFUSAL_HEADERS = {
  [405] = { allow = "GET" },
  [426] = { upgrade = "websocket", ["sec-websocket-version"] = "13" },
}

local function refuse(ws, status, message)
  local event = ws.event
  log.warn(log.escape(("%s %s: WebSocket refused with %d: %s"):format(event.method, event.path, status, message)))
  local err = http_error.HTTPError(status, { message = message, headers = REFUSAL_HEADERS[status] })
  err.logged = true -- a client's mistake or an operator's choice: the line above is all there is to say, for a 501 too
  error(err, 0)
end

local function names(list)
  return #list > 0 and table.concat(list, ", ") or "none"
end

-- Our preference decides among what the client asked for. Asking for none of ours is no error unless the route says so.
local function choose_protocol(ws, options)
  local ours = options.protocol or {}
  if type(ours) == "string" then
    ours = { ours }
  end
  local requested = ws.requestedProtocols
  for _, name in ipairs(ours) do
    for _, wanted in ipairs(requested) do
      if name == wanted then
        return name
      end
    end
  end
  if options.requireProtocol then
    refuse(ws, 400, ("no common subprotocol: this endpoint speaks %s, Sec-WebSocket-Protocol asked for %s"):format(
      names(ours), names(requested)))
  end
end

local function allowed(origin, origins, host)
  if origins == "*" then
    return true
  elseif not origins then
    return same_host(origin, host)
  end
  for _, candidate in ipairs(origins) do
    if candidate:lower() == origin:lower() then
      return true
    end
  end
  return false
end

-- Only browsers send Origin, and they cannot lie about it: this is what keeps a foreign page from using a visitor's
-- cookies here.
local function check_origin(ws, options)
  local origin = ws.origin
  if not origin then
    return
  end
  local event = ws.event
  if #event.headers:getAll "origin" > 1 then
    refuse(ws, 400, "there are two Origin fields, so nobody knows where this comes from")
  end
  local origins = options.origins or registry.of(event).app.config.ws.origins
  local host = core.request.host(event)
  if not allowed(origin, origins, host) then
    local why = origins and "it is not in the list of origins" or "this host is " .. host
    refuse(ws, 403, ("the Origin %s may not connect here (%s); to allow it, list it in ws.origins of "
      .. "sprylua.config.lua, or in the option origins of event.ws:upgrade"):format(origin, why))
  end
end

---The 101 Response that starts `session` once it has been sent.
---@param ws table event.ws
---@param session fun(ws: table)
---@param options sprylua.UpgradeOptions?
---@return sprylua.Response
function M.upgrade(ws, session, options)
  options = options or {}
  local problem = misuse(session, options)
  local fields
  if not problem then
    fields, problem = read_headers(options.headers)
  end
  if problem then
    error(problem, 2)
  end
  local ok, status, message = core.handshake(ws)
  if not ok then
    refuse(ws, status, message)
  end
  check_origin(ws, options)
  return response.switching(session, {
    protocol = choose_protocol(ws, options),
    maxMessage = options.maxMessage,
    maxBuffered = options.maxBuffered,
    onSlow = options.onSlow,
    pingInterval = options.pingInterval,
    deadAfter = options.deadAfter,
    compress = options.compress,
  }, fields)
end

M.methods = { upgrade = M.upgrade }

return M
