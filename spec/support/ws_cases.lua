-- Tables of WebSocket traffic, tried on the core without the framework above it: what the client sends, what the server
-- must answer, what the session must see. Every input is delivered whole, cut in two at every position, and byte by
-- byte; how it was cut must not show in any byte of the answer.

local core = require "sprylua.core"
local frames = require "sprylua.testing.frames"

local M = {}

-- ── frames of the client, and of the server ─────────────────────────────────

---One frame as a client sends it; `more` are further fields of frames.encode.
---@param opcode string|integer
---@param payload string?
---@param more table?
---@return string
function M.frame(opcode, payload, more)
  local frame = { opcode = opcode, payload = payload }
  for key, value in pairs(more or {}) do frame[key] = value end
  return frames.encode(frame)
end

function M.text(payload, more) return M.frame("text", payload, more) end

function M.binary(payload, more) return M.frame("binary", payload, more) end

function M.ping(payload, more) return M.frame("ping", payload, more) end

function M.pong(payload, more) return M.frame("pong", payload, more) end

function M.close(code, reason, more) return M.frame("close", frames.closePayload(code, reason), more) end

---A message in fragments.
---@param kind "text"|"binary"
---@param parts string[]
---@param between string? what goes between every two of them
---@return string
function M.fragments(kind, parts, between)
  local bytes = {}
  for i, part in ipairs(parts) do
    bytes[#bytes + 1] = M.frame(i == 1 and kind or "continuation", part, { fin = i == #parts })
  end
  return table.concat(bytes, between or "")
end

---One frame as the server must send it.
---@param opcode string
---@param payload string?
---@return string
function M.from_server(opcode, payload)
  return frames.encode { opcode = opcode, payload = payload, mask = false }
end

---The server's Close.
---@param code integer?
---@param reason string?
---@return string
function M.closed(code, reason)
  return M.from_server("close", frames.closePayload(code, reason))
end

---Text that can be read in a failure's message.
---@param bytes string
---@return string
function M.describe(bytes)
  local list, at = {}, 1
  while true do
    local frame, after = frames.decode(bytes, at)
    if not frame then break end
    at = after
    local payload = frame.payload
    if frame.name == "close" then
      payload = table.concat({ frames.parseClose(payload) }, " ")
    elseif #payload > 40 then
      payload = ("%s… (%d bytes)"):format(payload:sub(1, 40), #payload)
    end
    list[#list + 1] = ("%s%s %q"):format(frame.name, frame.fin and "" or " (not final)", payload)
    if #list > 20 then
      list[#list] = "…"
      break
    end
  end
  if at <= #bytes and #list <= 20 then list[#list + 1] = ("and %d bytes that are no frame"):format(#bytes - at + 1) end
  return table.concat(list, ", ")
end

-- ── apps and connections ────────────────────────────────────────────────────

---A session that echoes and puts what it sees into `seen`.
---@param ws table
---@param seen table[]
function M.echo(ws, seen)
  for kind, data, reason in ws.events do
    seen[#seen + 1] = { kind, data, reason }
    if kind == "text" then
      ws:sendText(data)
    elseif kind == "binary" then
      ws:sendBinary(data)
    end
  end
end

local Response = {}

---An app of the core with one route, /, that becomes a WebSocket.
---@param session fun(ws: table, seen: table[])? M.echo
---@param options table? of the response: maxMessage, protocol …
---@param entry fun(event: table): any? instead of the upgrade; it gets the upgrade as its second argument
---@return table app with `errors`, what sessions raised
function M.app(session, options, entry)
  local app = { errors = {}, refused = {} }
  local function upgrade(event)
    local ok, status, message = core.handshake(event.ws)
    if not ok then return setmetatable({ status = status, headers = {}, body = message }, Response) end
    local seen = app.seen or {}
    return setmetatable({
      status = 101, headers = {}, options = options or {},
      session = function(ws)
        seen.ws = ws
        return (session or M.echo)(ws, seen)
      end,
    }, Response)
  end
  local function run(event)
    if entry then return entry(event, upgrade) end
    return upgrade(event)
  end
  app.core = core.app {
    routes = core.router { { segments = {}, entry = run } },
    misses = core.router { { segments = { { rest = false, min = 0 } }, entry = function() return "nothing here" end } },
    response = Response,
    convert = function(_, value) error("the route returned a " .. type(value)) end,
    failed = function(_, cause)
      return setmetatable({ status = 500, headers = {}, body = tostring(cause) }, Response)
    end,
    sessionFailed = function(_, cause) app.errors[#app.errors + 1] = tostring(cause) end,
    refused = function(status, why) app.refused[#app.refused + 1] = { status, why } end,
  }
  return app
end

-- As clients write it: what looks for a name must not care.
local function capitalised(name)
  return (name:gsub("%f[%w]%l", string.upper))
end

---A handshake; fields given replace or, when false, remove the usual ones.
---@param fields table<string, string|string[]|false>?
---@param line string?
---@return string
function M.handshake(fields, line)
  local all = {
    host = "a", upgrade = "websocket", connection = "Upgrade",
    ["sec-websocket-version"] = "13", ["sec-websocket-key"] = frames.key,
  }
  for name, value in pairs(fields or {}) do all[name] = value end
  local lines = { line or "GET / HTTP/1.1" }
  for name, value in pairs(all) do
    for _, one in ipairs(type(value) == "table" and value or { value or nil }) do
      lines[#lines + 1] = capitalised(name) .. ": " .. one
    end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

---@class spec.WsClient a connection after its handshake
---@field peer table of core.connect
---@field seen table[] what the session saw; `seen.ws` is its ws
---@field head string of the 101
local Client = {}
Client.__index = Client

---A connection that has done its handshake. `early` is sent with it.
---@param app table of M.app
---@param early string?
---@param fields table? of the handshake
---@return spec.WsClient
function M.open(app, early, fields)
  local self = setmetatable({ app = app, seen = {}, peer = nil }, Client)
  app.seen = self.seen
  self.peer = core.connect(app.core)
  self.peer:feed(M.handshake(fields) .. (early or ""))
  local head, rest = self.peer:take():match "^(.-\r\n\r\n)(.*)$"
  assert(head and head:find "^HTTP/1.1 101 ", "the handshake was refused")
  self.head, self.rest = head, rest
  return self
end

---What the server has sent since.
---@return string
function Client:take()
  local bytes = self.rest .. self.peer:take()
  self.rest = ""
  return bytes
end

---Sends bytes, and returns what the server has answered.
---@param bytes string
---@return string
function Client:send(bytes)
  self.peer:feed(bytes)
  return self:take()
end

---The frames that the server has sent since, as a list.
---@return sprylua.testing.Frame[]
function Client:frames()
  local list, bytes, at = {}, self:take(), 1
  while at <= #bytes do
    local frame, after = frames.decode(bytes, at)
    assert(frame, "the server sent half a frame")
    list[#list + 1], at = frame, after
  end
  return list
end

---Ends the connection, and lets the session notice.
function Client:hangup()
  self.peer:hangup()
  self.app.core:settle()
end

Client.__close = Client.hangup

-- ── cases ───────────────────────────────────────────────────────────────────

local SHORT = 300 -- bytes: up to here, every position is tried

-- Where to cut an input in two: everywhere, or around its ends and the borders of the parser's own buffer.
local function cuts(n)
  local list = {}
  for at = 1, n - 1 do
    local border = at < 16384 and math.abs(at % 4096 - 14) <= 1
    if n <= SHORT or at <= 16 or at >= n - 4 or border then list[#list + 1] = at end
  end
  return list
end

---Every way to deliver `bytes`, as a list of { name, pieces }.
---@param bytes string
---@return { [1]: string, [2]: string[] }[]
function M.deliveries(bytes)
  local list = { { "whole", { bytes } } }
  for _, at in ipairs(cuts(#bytes)) do
    list[#list + 1] = { "cut at " .. at, { bytes:sub(1, at), bytes:sub(at + 1) } }
  end
  local size = #bytes <= 20000 and 1 or 1021
  if #bytes > size then
    local pieces = {}
    for at = 1, #bytes, size do pieces[#pieces + 1] = bytes:sub(at, at + size - 1) end
    list[#list + 1] = { size == 1 and "byte by byte" or "in pieces of 1021 bytes", pieces }
  end
  return list
end

---@class spec.WsCase
---@field [1] string what it shows
---@field input string what the client sends
---@field output string what the server answers, all of it
---@field events table[]? what the session sees
---@field open boolean? the connection stays open; by default it is closed when the answer ends with a Close
---@field options table? as in M.app
---@field fields table? of the handshake

local function fail(case, how, what, expected, got)
  error(("%s, %s: %s\nexpected: %s\n     got: %s"):format(case[1], how, what, expected, got), 0)
end

local function describe_events(events)
  local list = {}
  for i, event in ipairs(events) do
    local data = event[2]
    if type(data) == "string" and #data > 40 then data = ("%s… (%d bytes)"):format(data:sub(1, 40), #data) end
    list[i] = ("%s %q"):format(event[1], data) .. (event[1] == "close" and " " .. (event[3] or "") or "")
  end
  return table.concat(list, ", ")
end

local function same_events(expected, got)
  if #expected ~= #got then return false end
  for i, event in ipairs(expected) do
    for k = 1, #event do
      if event[k] ~= got[i][k] then return false end
    end
  end
  return true
end

local function try(app, case, how, pieces)
  local client = M.open(app, nil, case.fields)
  local answer = {}
  for i, piece in ipairs(pieces) do answer[i] = client:send(piece) end
  local bytes, closed = table.concat(answer), client.peer:closed()
  local events = { table.unpack(client.seen) } -- before the hangup adds to them
  client:hangup()
  if bytes ~= case.output then
    fail(case, how, "another answer", M.describe(case.output), M.describe(bytes))
  end
  if case.events and not same_events(case.events, events) then
    fail(case, how, "other events", describe_events(case.events), describe_events(events))
  end
  local ends = not case.open and M.describe(case.output):find "close \"[^\"]*\"$" ~= nil
  if closed ~= ends then fail(case, how, "the end of the connection", tostring(ends), tostring(closed)) end
  if app.errors[1] then fail(case, how, "the session raised", "nothing", app.errors[1]) end
end

---Tries one case in every delivery.
---@param case spec.WsCase
---@param session fun(ws: table, seen: table[])?
function M.check(case, session)
  local app = M.app(session, case.options)
  for _, delivery in ipairs(M.deliveries(case.input)) do try(app, case, delivery[1], delivery[2]) end
end

---Makes a spec of every case.
---@param it fun(name: string, fn: fun())
---@param cases spec.WsCase[]
---@param session fun(ws: table, seen: table[])?
function M.run(it, cases, session)
  for _, case in ipairs(cases) do
    it(case[1], function() M.check(case, session) end)
  end
end

return M
