-- Specs without sockets: an app served in the spec's own process, by the same parsers and the same connection code as
-- behind a port. The client formats and parses bytes in Lua. Time is the spec's: a handler that sleeps ten seconds
-- takes none, since whoever waits here moves the clock on.

local connections = require "sprylua.testing.connection"
local handshake = require "sprylua.testing.handshake"
local http = require "sprylua.testing.http"
local options = require "sprylua.testing.options"
local sessions = require "sprylua.testing.session"
local world = require "sprylua.testing.world"

local M = {}

local APP = { "config", "websocket", "dev" }
local REQUEST = { "headers", "body", "json", "form", "stream" }
local WS = { "protocols", "headers", "early", "pong", "echo" }

-- ── the app ─────────────────────────────────────────────────────────────────

---@class sprylua.testing.App
---@field log string[] what the server said (errors with their tracebacks); testing.reset empties it
---@field clock { advance: fun(self: table, seconds: number), now: fun(): number } all testing apps have the same
---@field core table the core.app
---@field loaded table what sprylua.app.load returned
local App = {}
App.__index = App
App.__name = "sprylua.testing.App"

---Moves time on, for timers, sleeps, deadlines and pings.
local sharedClock = {
  advance = function(_, seconds) world.advance(seconds) end,
  now = function() return world.clock.now() end,
}

---@class sprylua.testing.AppOptions
---@field config table? as in sprylua.config.lua, which is not read then
---@field websocket boolean? false: as with --no-websocket
---@field dev boolean? error pages

---Serves the routes of a folder inside this process. Raises with all problems when the folder does not load.
---@param routes string
---@param opts sprylua.testing.AppOptions?
---@return sprylua.testing.App
function M.app(routes, opts)
  options.check(opts, APP, "testing.app", 2)
  opts = opts or {}
  world.install()
  local loaded, problems = require("sprylua.app").load(routes, {
    config = opts.config and world.settings(opts.config, 2),
    websocket = opts.websocket, dev = opts.dev, logAccess = false,
  })
  if not loaded then
    local list = type(problems) == "table" and table.concat(problems, "\n  ") or tostring(problems)
    error(("the routes in %s do not load:\n  %s"):format(routes, list), 2)
  end
  local self = setmetatable({ core = loaded.core, loaded = loaded, log = {}, clock = sharedClock }, App)
  world.addApp(self)
  return self
end

---A connection of one's own, for bytes that no well-behaved client would send.
---@return sprylua.testing.Connection
function App:connect()
  if self.closed then error("this app has been closed", 2) end
  return connections.open(self)
end

-- ── HTTP ────────────────────────────────────────────────────────────────────

---@class sprylua.testing.RequestOptions
---@field headers table<string, string|string[]|false>?
---@field body string?
---@field json any sent as JSON
---@field form table? sent as a form
---@field stream boolean? return when the head has come; `response:receive(timeout?)` gives the body as it comes

-- A body that is read while it comes: chunk · nil at its end · nil, "timeout" (raised when no timeout was given).
local function streamed(connection, response)
  response.connection = connection
  function response:receive(timeout)
    local parser = self.connection.parser
    local chunk = world.wait(function()
      local bytes = parser:take()
      if bytes ~= "" then return bytes end
      if parser.ended or self.connection:closed() then return false end
    end, timeout or 1)
    if chunk then return chunk end
    if chunk == false then return nil end
    if timeout then return nil, "timeout" end
    error("nothing more of the body came within a second", 2)
  end
  function response:hangup() self.connection:hangup() end
  return response
end

local function request(self, method, path, opts, level)
  if self.closed then error("this app has been closed", level + 1) end
  options.check(opts, REQUEST, "a testing app's request", level + 1)
  opts = opts or {}
  local bytes = http.request(method, path, opts, level + 1)
  local connection = connections.open(self)
  connection:send(bytes)
  if opts.stream then
    local head = world.wait(function() return connection.parser:head() end, 120)
    if head then return streamed(connection, head) end
  end
  local ok, response = pcall(connection.answer, connection, method)
  connection:hangup()
  if ok then return response end
  error(("%s %s: %s"):format(method, path, tostring(response)), level + 1)
end

---Sends a request and returns its answer; raises when there is none.
---@param method string
---@param path string
---@param opts sprylua.testing.RequestOptions?
---@return sprylua.testing.Response
function App:request(method, path, opts)
  local response = request(self, method, path, opts, 2) -- no tail call: errors point at its caller
  return response
end

for _, method in ipairs { "get", "post", "put", "patch", "delete", "head", "options" } do
  App[method] = function(self, path, opts)
    local response = request(self, method:upper(), path, opts, 2)
    return response
  end
end

-- ── WebSocket ───────────────────────────────────────────────────────────────

---The bytes of an upgrade request as a browser sends it.
---@param path string
---@param opts { protocols: string[]?, headers: table? }?
---@return string
function M.handshake(path, opts)
  opts = opts or {}
  local headers = handshake.headers(opts.protocols)
  for name, value in pairs(opts.headers or {}) do headers[name:lower()] = value end
  return http.request("GET", path, { headers = headers }, 2)
end

---Opens a WebSocket. When the server refuses: `nil, response`.
---@param path string
---@param opts { protocols: string[]?, headers: table?, early: string?, pong: boolean?, echo: boolean? }?
--- `early`: bytes sent in one packet with the handshake · `pong = false`: pings are not answered · `echo = false`: the
--- server's close is not answered
---@return sprylua.testing.Session? session
---@return sprylua.testing.Response? response
function App:ws(path, opts)
  if self.closed then error("this app has been closed", 2) end
  options.check(opts, WS, "app:ws", 2)
  opts = opts or {}
  local connection = connections.open(self)
  connection:send(M.handshake(path, opts) .. (opts.early or ""))
  local head = world.wait(function() return connection.parser:head() end, 120)
  if head and head.status == 101 then
    handshake.check(head, opts)
    return sessions.new(connection, head, opts)
  end
  local ok, response = pcall(connection.answer, connection, "GET")
  connection:hangup()
  if ok then return nil, response end
  error(("the WebSocket %s: %s"):format(path, tostring(response)), 2)
end

-- ── the end ─────────────────────────────────────────────────────────────────

---Stops the app as TERM stops a server: sessions get 1001, requests under way are answered; what is left is hung up.
function App:close()
  if self.closed then return end
  self.closed = true
  self.core:stop()
  world.wait(function()
    if self.core:stats().connections == 0 then return true end
  end, 10)
  world.hangup(self)
  world.removeApp(self)
end

App.__close = App.close

---Hangs up what a spec left open, in every app. For an `after_each`, so that one spec does not wait in another.
function M.reset()
  world.reset()
end

---Runs `fn(...)` in a coroutine and moves time on until it returns: for functions that wait, without an app.
---@param fn function
---@return any … what fn returned
function M.run(fn, ...)
  world.install()
  local results
  local thread = coroutine.create(function(...)
    results = table.pack(xpcall(fn, function(cause)
      return type(cause) == "string" and debug.traceback(cause, 2) or cause
    end, ...))
  end)
  local ok, problem = coroutine.resume(thread, ...)
  if not ok then error(problem, 0) end
  world.wait(function() return results end, 120)
  if not results then error("the function did not return within 120 simulated seconds", 2) end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

---A lone event for the unit test of one handler; see sprylua.testing.event.
---@param spec sprylua.testing.EventOptions?
---@return table event
function M.event(spec)
  local event = require("sprylua.testing.event")(spec) -- no tail call: errors point at its caller
  return event
end

return M
