-- HTTP/1.1 from outside, without sockets: an app made of bare core routes, and a runner that sends a case's bytes
-- whole, cut in two at every position, and byte by byte. However they are cut, the answers must be the same.

local assert = require "luassert"
local core = require "sprylua.core"
local http = require "sprylua.testing.http"

local M = {}

local Response = {}

local function response(status, body, fields)
  local headers = { "content-type", "text/plain; charset=utf-8" }
  for _, field in ipairs(fields or {}) do headers[#headers + 1] = field end
  return setmetatable({ status = status, body = body, headers = headers }, Response)
end

-- The whole body, or the response that says why it did not come: in the words of the core's own refusals, since it
-- depends on how the bytes were cut which of the two a client gets.
local function read(event)
  local parts = {}
  while true do
    local chunk, status, why = core.request.read(event)
    if not chunk then
      return not status and table.concat(parts) or nil, status and response(status, why .. "\n")
    end
    parts[#parts + 1] = chunk
  end
end

local function fields(event)
  local lines, list = {}, core.request.headers(event)
  for i = 1, #list, 2 do lines[#lines + 1] = list[i] .. "=" .. list[i + 1] end
  return table.concat(lines, "\n")
end

local function stream(produce, length)
  return setmetatable({ status = 200, headers = {}, stream = produce, length = length }, Response)
end

-- What each path answers; a route without a method takes every one.
local handlers = {
  [""] = function() return "home" end,
  echo = function(event)
    local body, failed = read(event)
    return failed or event.method .. ":" .. body
  end,
  skip = function() return "skipped" end,
  headers = fields,
  target = function(event)
    return ("%s|%s|%s"):format(event.pathname, core.request.query(event) or "-", core.request.host(event))
  end,
  close = function() return response(200, "bye", { "connection", "close" }) end,
  error = function() error "boom" end,
  empty = function() return setmetatable({ status = 204, headers = {} }, Response) end,
  unchanged = function() return response(304, "not sent", { "etag", '"1"' }) end,
  large = function() return ("x"):rep(100000) end,
  stream = function()
    return stream(function(write)
      write "one"
      write "two"
    end)
  end,
  sized = function()
    return stream(function(write) write "onetwo" end, 6)
  end,
  broken = function()
    return stream(function(write)
      write(("one"):rep(40000)) -- so much that it waits until it has gone out
      error "boom"
    end)
  end,
}

---@class spec.HttpApp
---@field core table the core.app
---@field seen string[] "GET /path" of each request that reached a handler
---@field refused integer[] statuses of the answers that the core gave by itself
---@field parked thread[] coroutines of requests to /park, first come first
---@field peers spec.HttpPeer[]
local App = {}
App.__index = App

local apps = {} -- made by the running spec

---@param limits table? as in sprylua.config.lua
---@param only string? the one handler that answers every request, whatever its path
---@return spec.HttpApp
function M.app(limits, only)
  local self = setmetatable({ seen = {}, refused = {}, parked = {}, peers = {} }, App)
  local function seen(handler)
    handler = handlers[only] or handler
    return function(event)
      self.seen[#self.seen + 1] = event.method .. " " .. event.path
      return handler(event)
    end
  end
  local routes = {
    { segments = { "park" }, entry = seen(function()
      self.parked[#self.parked + 1] = coroutine.running()
      coroutine.yield()
      return "parked"
    end) },
    { segments = { "target", { rest = false, min = 1 } }, entry = seen(handlers.target) },
    { method = "GET", segments = { "get" }, entry = seen(function() return "got" end) },
  }
  for name, handler in pairs(handlers) do
    routes[#routes + 1] = { segments = name ~= "" and { name } or {}, entry = seen(handler) }
  end
  self.core = core.app {
    routes = core.router(routes),
    misses = core.router { { segments = { { rest = false, min = 0 } }, entry = seen(function(event)
      local allow = core.request.allow(event)
      return response(allow and 405 or 404, "miss", allow and { "allow", allow })
    end) } },
    response = Response,
    convert = function(_, value) error("a handler returned a " .. type(value)) end,
    failed = function() return response(500, "failed") end,
    sessionFailed = error,
    refused = function(status) self.refused[#self.refused + 1] = status end,
    limits = limits,
  }
  apps[#apps + 1] = self
  return self
end

---Ends what the running spec has left: an `after_each` of every file that uses this module.
function M.clean()
  for _, app in ipairs(apps) do
    for _, co in ipairs(app.parked) do coroutine.resume(co) end -- false when its request was given up
    for _, peer in ipairs(app.peers) do peer.connection:hangup() end
    app.core:settle()
  end
  apps = {}
end

---Resumes the oldest request that is parked.
function App:release()
  assert(coroutine.resume(table.remove(self.parked, 1)))
  self.core:settle()
end

---@class spec.HttpPeer
---@field bytes string all that the server has sent
local Peer = {}
Peer.__index = Peer

---@return spec.HttpPeer
function App:connect()
  local peer = setmetatable({ connection = core.connect(self.core), bytes = "" }, Peer)
  self.peers[#self.peers + 1] = peer
  return peer
end

---@return spec.HttpPeer self
function Peer:feed(bytes)
  self.connection:feed(bytes)
  return self:look()
end

---Adds what the server has sent meanwhile to `bytes`.
---@return spec.HttpPeer self
function Peer:look()
  self.bytes = self.bytes .. self.connection:take()
  return self
end

---@return boolean
function Peer:closed() return self.connection:closed() end

---The client ends its side.
---@return spec.HttpPeer self
function Peer:finish()
  self.connection:finish()
  return self:look()
end

-- ── what holds for every response ───────────────────────────────────────────

local function check_date(head)
  local dates = head.headers:getAll "date"
  if head.status >= 200 and #dates ~= 1 then error(("a %d with %d Date fields"):format(head.status, #dates), 0) end
  for _, date in ipairs(dates) do
    if not date:find "^%u%l%l, %d%d %u%l%l %d%d%d%d %d%d:%d%d:%d%d GMT$" then error("a bad Date: " .. date, 0) end
  end
end

local function check_framing(head)
  local lengths, codings = head.headers:getAll "content-length", head.headers:getAll "transfer-encoding"
  local framed = #lengths + #codings
  if head.status < 200 or head.status == 204 then
    if framed > 0 then error(("a %d with framing"):format(head.status), 0) end
  elseif framed > 1 then
    error("a response with more than one framing", 0)
  end
end

---The responses in `peer.bytes`, to requests with these methods (GET when there are no more), and what is left over.
---@param peer spec.HttpPeer
---@param methods string[]?
---@return table[] responses
---@return string rest
function M.responses(peer, methods)
  local parser, list = http.parser(), {}
  parser:feed(peer.bytes)
  while true do
    local head = parser:head()
    if not head then break end
    check_date(head)
    check_framing(head)
    local answer = parser:answer(methods and methods[#list + 1] or "GET", peer:closed())
    if not answer then return list, parser.bytes, head end
    if #list > 0 and list[#list].headers:get "connection" == "close" then error("an answer behind the last one", 0) end
    list[#list + 1] = answer
  end
  for _, interim in ipairs(parser.interim) do check_framing(interim) end
  list.interim = parser.interim
  return list, parser.bytes
end

-- ── cases ───────────────────────────────────────────────────────────────────

-- Positions to cut at: all of them, or of a long text both ends and samples between.
local function cuts(n)
  local list = {}
  for i = 1, n - 1 do
    if n <= 400 or i <= 120 or i >= n - 120 or i % 97 == 0 then list[#list + 1] = i end
  end
  return list
end

local function pieces(bytes, how)
  if type(how) == "table" then return how end
  if how == 0 then return { bytes } end
  if how ~= "bytes" then return { bytes:sub(1, how), bytes:sub(how + 1) } end
  local list = {}
  for i = 1, #bytes do list[i] = bytes:sub(i, i) end
  return list
end

local function describe_outcome(list, rest, closed, seen)
  local lines = {}
  for _, answer in ipairs(list) do
    local head = {}
    for _, field in ipairs(answer.headers) do
      if field[1]:lower() ~= "date" then head[#head + 1] = field[1]:lower() .. ": " .. field[2] end
    end
    table.sort(head)
    lines[#lines + 1] = ("%d {%s} %q"):format(answer.status, table.concat(head, "; "), answer.body)
  end
  if rest ~= "" then lines[#lines + 1] = ("rest %q"):format(rest) end
  lines[#lines + 1] = closed and "closed" or "open"
  lines[#lines + 1] = seen and "seen: " .. table.concat(seen, ", ") or nil
  return table.concat(lines, "\n")
end

-- `how` is 0 for the bytes in one piece, a position to cut at, "bytes", or the pieces.
local function run(case, how)
  local app = M.app(case.limits, case.only)
  local peer = app:connect()
  for _, piece in ipairs(pieces(case[2], how)) do peer:feed(piece) end
  if case.finish then peer:finish() end
  local list, rest = M.responses(peer, case.methods)
  local closed = peer:closed()
  local outcome = describe_outcome(list, rest, closed, not case.late and app.seen or nil)
  M.clean()
  return outcome, list, closed, app
end

-- Statuses that, where a case does not say otherwise, are the core's own: no handler has seen the request, and the
-- connection ends.
local function is_refusal(status)
  return status >= 400 and status ~= 404 and status ~= 405
end

local function verify(case, list, closed, app)
  local expected = type(case[3]) == "table" and case[3] or { case[3] }
  local got = {}
  for i, answer in ipairs(list) do got[i] = answer.status end
  assert.same(expected, got)
  local last = list[#list]
  local refused = last and is_refusal(last.status)
  if refused then
    assert.equal("close", last.headers:get "connection")
    if not case.late then assert.same({ last.status }, app.refused) end
  end
  if not case.late then
    assert.equal(case.seen or (refused and #list - 1 or #list), #app.seen, "requests that reached a handler")
  end
  local ends = case.closed
  if ends == nil then ends = refused or false end
  assert.equal(ends, closed, "whether the server closes")
  for i, body in ipairs(type(case.body) == "table" and case.body or { case.body }) do
    assert.equal(body, list[i].body)
  end
  for name, value in pairs(case.headers or {}) do
    assert.equal(value or nil, last.headers:get(name), name)
  end
end

---Runs a case in every way. A case is a table:
---[1] its name, [2] the bytes, [3] the status, or a list of them, one for each answer ·
---`body` of the answer, or a list · `headers` of the last answer, `false` for one that must not be there ·
---`closed` whether the server ends the connection (default: when it refuses) · `seen` how many requests reach a
---handler · `methods` of the requests, where one is HEAD · `limits` · `finish` the client ends its side at the end ·
---`late` the flaw is in the body: the handler has or has not begun when it shows.
function M.check(case)
  local whole, list, closed, app = run(case, 0)
  verify(case, list, closed, app)
  for _, cut in ipairs(cuts(#case[2])) do
    local outcome = run(case, cut)
    if outcome ~= whole then
      error(("cut after %q:\n%s\nin one piece:\n%s"):format(case[2]:sub(1, cut):sub(-60), outcome, whole), 2)
    end
  end
  local outcome = run(case, "bytes")
  if outcome ~= whole then error(("byte by byte:\n%s\nin one piece:\n%s"):format(outcome, whole), 2) end
end

---What comes of the bytes, as text to be compared.
---@param case table as for `check`; [3] is not looked at
---@param how 0|integer|"bytes"|string[] in one piece, cut at a position, byte by byte, or in these pieces
---@return string
function M.outcome(case, how) return (run(case, how)) end

---Makes an `it` of each case.
function M.all(list)
  local it = require("busted").it
  for _, case in ipairs(list) do
    it(case[1], function() M.check(case) end)
  end
end

---A request with these lines behind its request line, then `body`.
---@param line string
---@param headers string[]?
---@param body string?
---@return string
function M.request(line, headers, body)
  local lines = ""
  for _, field in ipairs(headers or {}) do lines = lines .. field .. "\r\n" end
  return line .. "\r\n" .. lines .. "\r\n" .. (body or "")
end

---A sound HTTP/1.1 request, but for what the headers and the body may be.
---@param start string method and target
---@param headers string[]?
---@param body string?
---@return string
function M.to(start, headers, body)
  return M.request(start .. " HTTP/1.1", { "Host: a", table.unpack(headers or {}) }, body)
end

return M
