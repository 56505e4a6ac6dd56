-- `event.request`: method, uri, headers, and the body. Reading waits without blocking anyone; what was read whole is
-- kept, so that `:text()` in a middleware and `:json()` in the handler both work, and so is a multipart form.

local core = require "sprylua.core"
local http_error = require "sprylua.http_error"
local json = require "sprylua.json"
local lazy = require "sprylua.lazy"
local options = require "sprylua.options"
local query = require "sprylua.query"

local temporary_file = lazy "sprylua.temporary_file" ---@module "sprylua.temporary_file"
local upload = lazy "sprylua.upload" ---@module "sprylua.upload"

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

-- The state of the body: `body` is all of it, `reader` names the method that takes it in pieces, `failed` is why it
-- broke off, `parsed` is the form that was made of it.

-- What `read(...)` gives; if it fails, so does everybody who comes later.
local function attempt(self, read, ...)
  local ok, result = pcall(read, ...)
  if not ok then
    rawset(self, "failed", result)
    error(result, 0)
  end
  return result
end

local function check_unread(self, wanted)
  local reader, failed = rawget(self, "reader"), rawget(self, "failed")
  if failed then
    error(failed, 0)
  elseif reader then
    error(("the body is being read with event.request:%s, so it is not here for event.request:%s; use one or the other")
      :format(reader, wanted), 4)
  end
end

local function whole_body(self, wanted)
  local body = rawget(self, "body")
  if not body then
    check_unread(self, wanted)
    body = attempt(self, read_all, rawget(self, "event"))
    rawset(self, "body", body)
  end
  return body
end

-- The body in pieces, for the method `reader`; in one piece, if it has been read as a whole.
local function pieces(self, reader)
  local body = rawget(self, "body")
  if body then
    return function()
      local piece = body
      body = nil
      return piece
    end
  end
  check_unread(self, reader)
  rawset(self, "reader", reader)
  local event = rawget(self, "event")
  return function()
    return next_chunk(event)
  end
end

---The whole body.
---@return string
function methods:text()
  local body = whole_body(self, "text()")
  return body
end

---The whole body; the same as `:text()`, since a Lua string is bytes.
---@return string
function methods:bytes()
  local body = whole_body(self, "bytes()")
  return body
end

local BYTE_ORDER_MARK = "\u{FEFF}"

---The body's JSON, whatever its Content-Type; malformed JSON, or no body, is a 400.
---@return any
function methods:json()
  local body = whole_body(self, "json()")
  if body:sub(1, #BYTE_ORDER_MARK) == BYTE_ORDER_MARK then
    body = body:sub(#BYTE_ORDER_MARK + 1)
  end
  if body == "" then
    error(HTTPError(400, { message = "malformed JSON: there is no body" }), 0)
  end
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

local FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
local READERS = { [FORM] = "form()", [MULTIPART] = "multipart()" }

local function need_type(event, wanted)
  local found, header = media_type(event)
  if found ~= wanted then
    local got = found == "" and "it has no Content-Type" or "not " .. found
    local hint = READERS[found] and (", which event.request:%s reads"):format(READERS[found]) or ""
    error(HTTPError(415, { message = ("the body must be %s; %s%s"):format(wanted, got, hint) }), 0)
  end
  return header
end

local function has_more_fields(body, most)
  local n = 0
  for _ in body:gmatch("[^&]+") do
    n = n + 1
    if n > most then
      return true
    end
  end
  return false
end

local FORM_RULES = { maxFields = options.integer(0, 1000) }

---The fields of an application/x-www-form-urlencoded body; another type is a 415, too many fields are a 413.
---@param opts { maxFields: integer? }? (1000)
---@return sprylua.Query
function methods:form(opts)
  local limits = options.read("event.request:form", opts, FORM_RULES)
  need_type(rawget(self, "event"), FORM)
  local body = whole_body(self, "form()")
  if has_more_fields(body, limits.maxFields) then
    error(HTTPError(413, { message = ("there are more fields than maxFields, %d"):format(limits.maxFields) }), 0)
  end
  return query.parse(body)
end

---The fields and files of a multipart/form-data body; another type is a 415, a malformed body a 400, one over a limit a
---413. The form is kept: asked again, it is the same one.
---@param opts sprylua.MultipartOptions?
---@return sprylua.Form
function methods:multipart(opts)
  local limits = options.read("event.request:multipart", opts, upload.RULES)
  local event = rawget(self, "event")
  local form = rawget(self, "parsed")
  if not form then
    local header = need_type(event, MULTIPART)
    form = attempt(self, upload.read, event, header, pieces(self, "multipart()"), limits)
    rawset(self, "parsed", form)
  end
  return form
end

---The body in pieces, as they come, none of them kept: `for chunk in event.request:chunks() do`.
---@return fun(): string?
function methods:chunks()
  if rawget(self, "body") or rawget(self, "failed") then
    error("the body has been read as a whole, so there are no chunks left; use one or the other", 2)
  elseif rawget(self, "reader") == "chunks()" then
    error("event.request:chunks() was called before; a body comes only once", 2)
  end
  local next_piece = pieces(self, "chunks()")
  return next_piece
end

local function write_file(event, to, next_piece, opts)
  local temporary, size = temporary_file.beside(event, to), 0
  for bytes in next_piece do
    temporary:write(bytes)
    size = size + #bytes
  end
  temporary:save(to, opts)
  return size
end

---Keeps the body as the file `to`, as it comes. The file is there when all of it is: an upload that breaks off leaves
---nothing. A file that is there already is an error.
---@param to string
---@param opts sprylua.SaveOptions?
---@return integer size
function methods:save(to, opts)
  opts = temporary_file.saveOptions("event.request:save", to, opts)
  local size = attempt(self, write_file, rawget(self, "event"), to, pieces(self, "save()"), opts)
  return size
end

---@param event table
---@return sprylua.Request
function M.new(event)
  return setmetatable({ event = event }, Request)
end

return M
