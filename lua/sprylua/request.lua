-- `event.request`: method, uri, headers, and the body. Reading waits without blocking anyone; what was read whole is
-- kept, so that `:text()` in a middleware and `:json()` in the handler both work.

local core = require "sprylua.core"
local http_error = require "sprylua.http_error"
local json = require "sprylua.json"
local multipart = require "sprylua.multipart"
local query = require "sprylua.query"

local M = {}

---@class sprylua.Request
---@field method string
---@field uri sprylua.Url the same as event.url
---@field headers sprylua.RequestHeaders
local Request = { __name = "sprylua.Request" }
local methods = {}
local HTTPError = http_error.HTTPError

local fields = {
  method = function(event) return event.method end,
  uri = function(event) return event.url end,
  headers = function(event) return event.headers end,
}

function Request:__index(key)
  local method = methods[key]
  if method then
    return method
  end
  local field = fields[key]
  if not field then
    error(("event.request has no field %s"):format(tostring(key)), 2)
  end
  return field(rawget(self, "event"))
end

local largest = 0

---Tells that some request may have a body of `bytes`: the parser, which knows no routes, has to let it pass. At load.
---@param bytes integer
function M.allowBody(bytes)
  largest = math.max(largest, bytes)
end

---The most that a body may have in an app whose default is `bytes`.
---@param bytes integer
---@return integer
function M.largestBody(bytes)
  return math.max(largest, bytes)
end

-- The next piece of the body; nil at its end. What the client did wrong is the request's answer.
local function next_chunk(event)
  local chunk, status, message = core.request.read(event)
  if not chunk and status then
    error(HTTPError(status, { message = message }), 0)
  end
  return chunk
end

local function read_all(event)
  local first = next_chunk(event)
  local second = first and next_chunk(event)
  if not second then
    return first or ""
  end
  local pieces = { first, second }
  for chunk in next_chunk, event do
    pieces[#pieces + 1] = chunk
  end
  return table.concat(pieces)
end

-- The state of the body: `body` is all of it, `streaming` says that :chunks() has it, `failed` is why it broke off.
local function whole_body(self)
  local body = rawget(self, "body")
  if body then
    return body
  elseif rawget(self, "failed") then
    error(self.failed, 0)
  elseif rawget(self, "streaming") then
    error("the body is being read with event.request:chunks(), so it is not here as a whole; use one or the other", 3)
  end
  local ok, result = pcall(read_all, rawget(self, "event"))
  if not ok then
    rawset(self, "failed", result)
    error(result, 0)
  end
  rawset(self, "body", result)
  return result
end

---The whole body.
---@return string
function methods:text()
  local body = whole_body(self)
  return body
end

---The whole body; the same as `:text()`, since a Lua string is bytes.
---@return string
function methods:bytes()
  local body = whole_body(self)
  return body
end

---The body's JSON; malformed JSON is a 400.
---@return any
function methods:json()
  local body = whole_body(self)
  local value, message = json.decode(body)
  if value == nil then
    error(HTTPError(400, { message = "malformed " .. message }), 0) -- "malformed JSON, line 1, column 3: …"
  end
  return value
end

local function media_type(event)
  local header = core.request.header(event, "content-type") or ""
  return header:match("^%s*([^;%s]*)"):lower(), header
end

local function need_type(event, wanted)
  local found, header = media_type(event)
  if found ~= wanted then
    local got = found == "" and "it has no Content-Type" or "not " .. found
    error(HTTPError(415, { message = ("the body must be %s; %s"):format(wanted, got) }), 0)
  end
  return header
end

---The fields of an application/x-www-form-urlencoded body; another type is a 415.
---@return sprylua.Query
function methods:form()
  need_type(rawget(self, "event"), "application/x-www-form-urlencoded")
  local body = whole_body(self)
  return query.parse(body)
end

---The fields and files of a multipart/form-data body; another type is a 415, a malformed body a 400.
---@return { fields: sprylua.Query, files: sprylua.FormFile[] }
function methods:multipart()
  local header = need_type(rawget(self, "event"), "multipart/form-data")
  local boundary, problem = multipart.boundary(header)
  local form
  if boundary then
    form, problem = multipart.parse(whole_body(self), boundary)
  end
  if not form then
    error(HTTPError(400, { message = "the body is not multipart/form-data: " .. problem }), 0)
  end
  return { fields = query.from(form.fields), files = form.files }
end

---The body in pieces, as they come, none of them kept: `for chunk in event.request:chunks() do`.
---@return fun(): string?
function methods:chunks()
  if rawget(self, "body") or rawget(self, "failed") then
    error("the body has been read as a whole, so there are no chunks left; use one or the other", 2)
  elseif rawget(self, "streaming") then
    error("event.request:chunks() was called before; a body comes only once", 2)
  end
  rawset(self, "streaming", true)
  local event = rawget(self, "event")
  return function()
    return next_chunk(event)
  end
end

---@param event table
---@return sprylua.Request
function M.new(event)
  return setmetatable({ event = event }, Request)
end

return M
