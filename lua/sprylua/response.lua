-- `spry.Response`: what a handler answers. Plain tables with the class as metatable, whose raw fields the C side reads
-- as they stand: `status`, `headers`, and one of
--   `body`     a string;
--   `stream`   function(write) that makes the body while it is sent, with `length` when that is known before, and
--              `live` when it ends with its reader: "stream", which the end of the server breaks off too, or
--              "answer", which the server waits for when it ends;
--   `session`  function(ws) of a 101, with `options`;
--   `finish`   function(response, event) -> the response to send: for a body that depends on the request. That of a
--              file has `file` too.

local core = require "sprylua.core"
local headers = require "sprylua.headers"
local json = require "sprylua.json"

local M = {}

---@class sprylua.Response
---@field status integer
---@field headers sprylua.Headers
---@field body string?
---@overload fun(body: string?, init: sprylua.ResponseInit?): sprylua.Response
local Response = core.Response
Response.__name = "sprylua.Response"
M.Response = Response

---@class sprylua.ResponseInit
---@field status integer? 200 to 599
---@field headers table? by name, a value may be a list

-- A field that nobody reads would be lost without a word.
local FIELDS = {
  status = true, headers = true, body = true, stream = true, length = true, live = true, session = true, options = true,
  finish = true, file = true, owner = true,
}

function Response:__newindex(key, value)
  if not FIELDS[key] then
    error(("a Response has no field %s; it has status, headers and body"):format(tostring(key)), 2)
  end
  rawset(self, key, value)
end

local Headers = headers.Headers
local TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"

local function check_status(status)
  if math.type(status) ~= "integer" or status < 200 or status > 599 then
    return ("a response's status is a whole number from 200 to 599, not %s"):format(tostring(status))
  end
end

local function check_init(init)
  if type(init) ~= "table" then
    return ("the init of a Response is a table such as { status = 201 }, not a %s"):format(type(init))
  end
  for key in pairs(init) do
    if key ~= "status" and key ~= "headers" then
      return ("the init of a Response takes status and headers, not %s"):format(tostring(key))
    end
  end
  return check_status(init.status or 200)
end

-- All fields in one constructor: the table is then made in its full size at once.
local function new(status, body, content_type, owner)
  return setmetatable({
    status = status,
    headers = setmetatable(content_type and { "content-type", content_type } or {}, Headers),
    body = body,
    owner = owner,
  }, Response)
end

-- A Response with what the user's `init` says. Raises at level 3, the line that called the public function, which
-- therefore must not tail-call this one.
local function build(body, init, content_type)
  if init == nil then
    return new(200, body, content_type)
  end
  local problem, given = check_init(init), nil
  if not problem then
    given, problem = headers.from(init.headers)
  end
  if problem then
    error(problem, 3)
  end
  if content_type and not given:has("content-type") then
    given:append("content-type", content_type)
  end
  return setmetatable({ status = init.status or 200, headers = given, body = body }, Response)
end

local function text_of(value, name)
  if type(value) == "string" then
    return value
  elseif type(value) == "number" then
    return tostring(value)
  end
  local hint = type(value) == "table" and "; a table is for Response.json" or ""
  error(("%s takes a string, not a %s%s"):format(name, type(value), hint), 3)
end

local function check_function(value, name)
  if type(value) ~= "function" then
    error(("%s takes a function, not a %s"):format(name, type(value)), 3)
  end
end

setmetatable(Response, {
  __call = function(_, body, init)
    body = body ~= nil and text_of(body, "Response") or nil
    local made = build(body, init, body and TEXT)
    return made
  end,
})

---@param text string
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.text(text, init)
  local made = build(text_of(text, "Response.text"), init, TEXT)
  return made
end

---@param html string
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.html(html, init)
  local made = build(text_of(html, "Response.html"), init, HTML)
  return made
end

---@param value any what spry.json.encode takes
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.json(value, init)
  local made = build(json.encode(value), init, JSON)
  return made
end

---No body: 204, or the status given.
---@param status integer?
---@return sprylua.Response
function Response.empty(status)
  local problem = check_status(status or 204)
  if problem then
    error(problem, 2)
  end
  return new(status or 204)
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

---@param url string
---@param status integer? 301, 302 (the default), 303, 307 or 308
---@return sprylua.Response
function Response.redirect(url, status)
  status = status or 302
  if not REDIRECTS[status] then
    error(("a redirect's status is 301, 302, 303, 307 or 308, not %s"):format(tostring(status)), 2)
  elseif type(url) ~= "string" then
    error(("Response.redirect takes a URL, not a %s"):format(type(url)), 2)
  end
  url = url:gsub("[ \x80-\xff]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  local made = build(nil, { status = status, headers = { location = url } })
  return made
end

---The body as it is made: `write(chunk)` waits while the client is slow, and returns nil, "closed" when it has gone.
---@param fn fun(write: fun(chunk: string): boolean?, string?)
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.stream(fn, init)
  check_function(fn, "Response.stream")
  local made = build(nil, init)
  made.stream = fn
  return made
end

---Server-sent events: `send("data")` or `send { event =, id =, retry =, data =, comment = }`, answered as `write` is.
---@param fn fun(send: fun(message: string|table): boolean?, string?)
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.events(fn, init)
  check_function(fn, "Response.events")
  local made = build(nil, init, "text/event-stream")
  made.stream, made.live = require("sprylua.sse").stream(fn), "stream"
  if not made.headers:has("cache-control") then
    made.headers:set("cache-control", "no-store")
  end
  return made
end

---A file, with all that HTTP has for files: see sprylua.served_file. Relative to the current directory; a path with
---".." in it, and one that is no file, is a 404.
---@param path string
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function Response.file(path, init)
  if type(path) ~= "string" then
    error(("Response.file takes a path, not a %s"):format(type(path)), 2)
  end
  local made = build(nil, init)
  require("sprylua.served_file").fill(made, path)
  return made
end

---A 101 that starts `session` when it has been sent. Only event.ws:upgrade makes these.
---@param session fun(ws: table)
---@param options table
---@param fields sprylua.Headers
---@return sprylua.Response
function M.switching(session, options, fields)
  return setmetatable({ status = 101, headers = fields, session = session, options = options }, Response)
end

-- Nearly always there is just the content-type.
local function copied(list)
  return setmetatable(#list == 2 and { list[1], list[2] } or table.move(list, 1, #list, 1, {}), Headers)
end

---A Response that belongs to this request alone, so that middleware may change it although a route keeps one Response
---for all of its requests.
---@param response sprylua.Response
---@param event table
---@return sprylua.Response
function M.own(response, event)
  if response.owner == event then
    return response
  end
  local fields = copied(response.headers)
  if response.body and not (response.stream or response.finish or response.session) then
    return setmetatable({ status = response.status, headers = fields, body = response.body, owner = event }, Response)
  end
  return setmetatable({
    status = response.status,
    headers = fields,
    body = response.body,
    stream = response.stream,
    length = response.length,
    live = response.live,
    finish = response.finish,
    file = response.file,
    session = response.session,
    options = response.options,
    owner = event,
  }, Response)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Response
end

-- `response.headers = nil` takes all of them away. Anything else of one's own is refused, as the C side does for what
-- reaches it without passing here.
local function repair_headers(response, source)
  if response.headers ~= nil then
    error(("%s: the %s returned a Response whose headers were replaced; use response.headers:set(name, value)"):format(
      source.label, source.role), 0)
  end
  response.headers = setmetatable({}, Headers)
end

local FORGOTTEN = { middleware = "; it ends with `return next()` or with a response of its own" }

---What a handler, a middleware or an error file returned, as a Response; raises with the file's name when it is nothing
---of the sort. A string or a table makes a Response of `owner`'s own.
---@param value any
---@param source { label: string, role: string } the file, and what in it returned the value
---@param owner table? the event
---@param status integer? for a string or a table
---@return sprylua.Response
function M.convert(value, source, owner, status)
  local kind = type(value)
  if kind == "string" then
    return new(status or 200, value, TEXT, owner)
  elseif kind == "table" then
    local meta = getmetatable(value)
    if meta == Response then
      if getmetatable(value.headers) ~= Headers then
        repair_headers(value, source)
      end
      return value
    elseif meta and meta.__name == "sprylua.HTTPError" then
      error(("%s: the %s returned an HTTPError; raise it instead: error(…)"):format(source.label, source.role), 0)
    end
    return new(status or 200, json.encode(value), JSON, owner)
  elseif kind == "nil" then
    local hint = FORGOTTEN[source.role] or ""
    error(("%s: the %s returned nothing (forgot return?)%s"):format(source.label, source.role, hint), 0)
  end
  error(("%s: the %s returned a %s; return a Response, a string or a table"):format(source.label, source.role, kind), 0)
end

return M
