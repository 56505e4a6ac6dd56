-- `testing.event{…}`: one event for the unit test of one handler. It is a real event of the server: a throw-away app
-- gets real bytes, and the request then waits, so that the event stays alive until the spec's end (`testing.reset`).

local connections = require "sprylua.testing.connection"
local http = require "sprylua.testing.http"
local options = require "sprylua.testing.options"
local world = require "sprylua.testing.world"

---@class sprylua.testing.EventOptions
---@field method string? GET
---@field path string? "/"; percent-encoded, and with a query string if you like
---@field headers table?
---@field query table? becomes the query string
---@field params table<string, string>? as the file's name would give them
---@field body string?
---@field json any
---@field form table?
---@field ws { isSupported: boolean?, isUpgradeRequest: boolean?, requestedProtocols: string[]?, origin: string? }?
---@field config table? settings, as in sprylua.config.lua

local KNOWN = { "method", "path", "headers", "query", "params", "body", "json", "form", "ws", "config" }
local KNOWN_WS = { "isSupported", "isUpgradeRequest", "requestedProtocols", "origin" }

-- The handler is called by the spec itself; should it end in the app after all, that is a plain 500.
local function plainFailure(_, cause)
  return tostring(cause)
end

local function throwAwayApp(spec, capture)
  local core = require "sprylua.core"
  require "sprylua.app" -- gives events and sessions their Lua-made members
  local registry = require "sprylua.registry"
  local settings = world.settings(spec.config, 4)
  local response = require "sprylua.response"
  registry.add(capture, {
    source = { label = "testing.event", role = "handler" }, errors = {}, app = { hooks = {}, config = settings },
  })
  local router = core.router { { segments = { { rest = false, min = 0 } }, entry = capture } }
  return core.app {
    routes = router, misses = router, response = response.Response,
    convert = function(_, value) return response.convert(value, { label = "testing.event", role = "handler" }) end,
    failed = plainFailure, sessionFailed = function() end,
    limits = settings.limits, ws = settings.ws,
    websocket = not (spec.ws and spec.ws.isSupported == false),
  }
end

local function requestOf(spec)
  local path = spec.path or "/"
  if spec.query then path = path .. (path:find("?", 1, true) and "&" or "?") .. http.form(spec.query) end
  local headers = {}
  local ws = spec.ws or {}
  if ws.isUpgradeRequest then
    headers = require("sprylua.testing.handshake").headers(ws.requestedProtocols)
  elseif ws.requestedProtocols and #ws.requestedProtocols > 0 then
    headers["sec-websocket-protocol"] = table.concat(ws.requestedProtocols, ", ")
  end
  headers.origin = ws.origin
  for name, value in pairs(spec.headers or {}) do headers[name:lower()] = value end
  return http.request(spec.method or "GET", path, {
    headers = headers, body = spec.body, json = spec.json, form = spec.form,
  }, 4)
end

---@param spec sprylua.testing.EventOptions?
---@return table event
return function(spec)
  options.check(spec, KNOWN, "testing.event", 3)
  spec = spec or {}
  options.check(spec.ws, KNOWN_WS, "ws of testing.event", 3)
  world.install()
  local event, thread, released
  local core = throwAwayApp(spec, function(captured)
    event, thread = captured, coroutine.running()
    repeat coroutine.yield() until released -- the spec has the event now
    return ""
  end)
  local connection = connections.open { core = core, log = {} }
  connection.onHangup = function()
    released = true
    if thread then coroutine.resume(thread) end
  end
  connection:send(requestOf(spec))
  if not event then
    local answer = connection:take()
    connection:hangup()
    error("the server refused this request before any handler: " .. (answer:match "^[^\r\n]*" or ""), 3)
  end
  for name, value in pairs(spec.params or {}) do rawset(event.params, name, value) end
  return event
end
