-- Opens a WebSocket to a server: the way to its address, the handshake, and a `ws` at the end. Whatever goes wrong on
-- the way is nil and a sentence, and closes what was opened; so does closing the coroutine that waits.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local handshake = require "sprylua.client.handshake"
local headers = require "sprylua.headers"
local links = require "sprylua.client.link"
local options = require "sprylua.options"
local sockets = require "sprylua.client.socket"
local tasks = require "sprylua.tasks"
local urls = require "sprylua.client.url"
local views = require "sprylua.client.ws"
local waiter = require "sprylua.client.waiter"

local NAME = "sprylua.websocket.connect"

local function tokens(value)
  if type(value) ~= "table" then
    return false
  end
  local seen, count = {}, 0
  for _, name in pairs(value) do
    count = count + 1
    if not headers.isToken(name) or seen[name] or value[count] == nil then
      return false
    end
    seen[name] = true
  end
  return true
end

local function is_origin(value)
  return type(value) == "string" and value:find("^[\x21-\x7e]+$") ~= nil
end

local rules = {
  protocols = options.rule("a list of different names such as { \"chat\" }", tokens),
  headers = options.rule("a table of header fields", function(value)
    return type(value) == "table"
  end),
  origin = options.rule("an origin such as \"https://example.org\"", is_origin),
  maxMessage = options.integer(1, 1 << 20),
  maxBuffered = options.integer(1, 1 << 20),
  timeout = options.seconds(10),
  pingInterval = options.seconds(25),
  deadAfter = options.seconds(60),
}

---@class sprylua.client.Options
---@field protocols string[]? subprotocols to offer, in order of preference
---@field headers table? more header fields for the handshake
---@field origin string? the header Origin, which only browsers need
---@field maxMessage integer? bytes that a message may have; 1 MiB
---@field maxBuffered integer? bytes that may wait for a slow server; 1 MiB
---@field timeout number? seconds until the WebSocket must be open; 10
---@field pingInterval number? seconds; 25
---@field deadAfter number? seconds of silence after which the server is taken for lost; 60

-- The server's answer, and what came behind it.
local function converse(socket, request, left)
  local place, bytes, ended = waiter.new(), "", false
  local answer, rest
  local function look()
    answer, rest = handshake.parse(bytes)
    return answer ~= nil or ended
  end
  socket:read(function(more)
    bytes, ended = bytes .. (more or ""), not more
    place:wake()
  end)
  socket:write(request, function() end) -- what cannot be sent shows in what comes
  if not place:wait(NAME, look, left()) then
    return nil, "timeout"
  elseif answer == nil then
    return nil, "the server closed the connection before it answered the handshake"
  elseif not answer then
    return nil, rest
  end
  return answer, rest
end

local function shake_hands(socket, target, opts, left)
  local key = handshake.key()
  local answer, rest = converse(socket, handshake.request(target, key, opts), left)
  if not answer then
    return nil, rest
  end
  local ok, detail = handshake.check(answer, key, opts.protocols)
  if not ok then
    return nil, detail, answer
  end
  local endpoint = core.endpoint { role = "client", maxMessage = opts.maxMessage }
  return views.new(links.new(endpoint, socket, opts, rest), detail)
end

local function explain(message, target, opts)
  if message == "timeout" then
    return ("no WebSocket at %s within %g s"):format(target.authority, opts.timeout)
  end
  return message
end

---Opens a WebSocket; the coroutine waits. When that fails: nil, a sentence, and the server's answer if it is one that
---refuses.
---@param url string ws://host:port/path
---@param given sprylua.client.Options?
---@return sprylua.client.WebSocket? ws
---@return string? message
---@return sprylua.client.Answer? answer
return function(url, given)
  if type(url) ~= "string" then
    error(("%s takes the address as a string, not a %s"):format(NAME, type(url)), 2)
  end
  local opts = options.read(NAME, given, rules)
  local fields, problem = headers.from(opts.headers)
  problem = problem or handshake.problemIn(fields)
  if problem then
    error(NAME .. ": " .. problem, 2)
  end
  opts.headers = fields
  waiter.check(NAME, 2)
  local target
  target, problem = urls.parse(url)
  if not target then
    return nil, problem
  end
  local due = clock.now() + opts.timeout
  local function left()
    return math.max(0, due - clock.now())
  end
  local socket, message = sockets.open(target.host, target.port, NAME, left)
  if not socket then
    return nil, explain(message, target, opts)
  end
  local ws, answer
  local _ <close> = tasks.defer(function()
    if not ws then
      socket:close()
    end
  end)
  ws, message, answer = shake_hands(socket, target, opts, left)
  return ws, message and explain(message, target, opts), answer
end
