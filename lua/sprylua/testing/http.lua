-- HTTP/1.1 from the client's side, in plain Lua: requests to bytes, bytes to responses. Written apart from the server's
-- parser, and strict: what a spec's client swallows silently, a spec would never notice.

local M = {}

-- ── headers ─────────────────────────────────────────────────────────────────

---@class sprylua.testing.Headers a list of { name, value }, in the order sent; names are case-insensitive
local Headers = {}
Headers.__index = Headers
Headers.__name = "sprylua.testing.Headers"

---Every value of the field, in order.
---@param name string
---@return string[]
function Headers:getAll(name)
  local values = {}
  name = name:lower()
  for _, field in ipairs(self) do
    if field[1]:lower() == name then values[#values + 1] = field[2] end
  end
  return values
end

---The field's value, repeated ones joined with ", "; nil when it is absent.
---@param name string
---@return string?
function Headers:get(name)
  local values = self:getAll(name)
  return #values > 0 and table.concat(values, ", ") or nil
end

---@param name string
---@return boolean
function Headers:has(name)
  return #self:getAll(name) > 0
end

M.Headers = Headers

-- ── requests ────────────────────────────────────────────────────────────────

local function encodeForm(s)
  return (tostring(s):gsub("[^%w%-%._~ ]", function(c) return ("%%%02X"):format(c:byte()) end):gsub(" ", "+"))
end

local function sortedKeys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

---`a=1&b=2`, keys in order, a list as a repeated key.
---@param fields table
---@return string
function M.form(fields)
  local parts = {}
  for _, key in ipairs(sortedKeys(fields)) do
    local value = fields[key]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = encodeForm(key) .. "=" .. encodeForm(one)
    end
  end
  return table.concat(parts, "&")
end

-- Sets a default that the caller's own header of that name (or `false`, for none) takes the place of.
local function default(fields, headers, name, value)
  for given in pairs(headers) do
    if given:lower() == name:lower() then return end
  end
  fields[#fields + 1] = name .. ": " .. value
end

local function body(opts, level)
  local given = 0
  for _, key in ipairs { "body", "json", "form" } do
    if opts[key] ~= nil then given = given + 1 end
  end
  if given > 1 then error("a request has one of body, json and form, not several", level + 1) end
  if opts.json ~= nil then return require("sprylua.json").encode(opts.json), "application/json" end
  if opts.form ~= nil then return M.form(opts.form), "application/x-www-form-urlencoded" end
  return opts.body
end

---The bytes of one request.
---@param method string
---@param path string as it stands on the request line: percent-encoded, with the query string
---@param opts { headers: table?, body: string?, json: any, form: table? }?
---@param level integer? where an error points to, as in error()
---@return string
function M.request(method, path, opts, level)
  opts, level = opts or {}, level or 1
  if type(method) ~= "string" or method:find "[%s%c]" or method == "" then
    error("a request's method is a word like GET", level + 1)
  end
  if type(path) ~= "string" or path == "" or path:find "[%s%c]" then
    error(("a request's path is percent-encoded, without white space, not %q"):format(tostring(path)), level + 1)
  end
  local headers = opts.headers or {}
  local content, contentType = body(opts, level + 1)
  local fields = { ("%s %s HTTP/1.1"):format(method, path) }
  default(fields, headers, "Host", "localhost")
  for _, name in ipairs(sortedKeys(headers)) do
    local value = headers[name]
    for _, one in ipairs(type(value) == "table" and value or { value or nil }) do
      fields[#fields + 1] = name .. ": " .. tostring(one)
    end
  end
  if contentType then default(fields, headers, "Content-Type", contentType) end
  if content then
    default(fields, headers, "Content-Length", tostring(#content))
  elseif method == "POST" or method == "PUT" or method == "PATCH" then
    default(fields, headers, "Content-Length", "0")
  end
  return table.concat(fields, "\r\n") .. "\r\n\r\n" .. (content or "")
end

-- ── responses ───────────────────────────────────────────────────────────────

---@class sprylua.testing.Response
---@field status integer
---@field reason string
---@field version string
---@field headers sprylua.testing.Headers
---@field body string
local Response = {}
Response.__index = Response
Response.__name = "sprylua.testing.Response"

---The body, decoded as JSON; raises when it is not.
---@return any
function Response:json()
  local value, message = require("sprylua.json").decode(self.body)
  if value == nil and message then
    error(("the body of this %d is not JSON (%s): %s"):format(self.status, message, self.body:sub(1, 200)), 2)
  end
  return value
end

local function parseHead(bytes, from)
  local last = bytes:find("\r\n\r\n", from, true)
  if not last then return nil end
  local head = bytes:sub(from, last + 1)
  local version, status, reason = head:match "^HTTP/(1%.[01]) (%d%d%d) ([^\r\n]*)\r\n"
  if not version then
    error(("the server's answer is no HTTP response: %q"):format(head:sub(1, 100)), 0)
  end
  local headers = setmetatable({}, Headers)
  for line in head:sub(head:find("\r\n", 1, true) + 2):gmatch "(.-)\r\n" do
    local name, value = line:match "^([^%s:%c]+):[ \t]*(.-)[ \t]*$"
    if not name or value:find "[\r\n%z]" then error(("the server sent a bad header line: %q"):format(line), 0) end
    headers[#headers + 1] = { name, value }
  end
  return setmetatable({
    version = version, status = tonumber(status), reason = reason, headers = headers, body = "",
  }, Response), last + 4
end

local function parseChunked(bytes, at)
  local parts = {}
  while true do
    local first, last, size = bytes:find("^(%x+)[^\r\n]*\r\n", at)
    if not first then
      if bytes:find("\r\n", at, true) then error(("a bad chunk header: %q"):format(bytes:sub(at, at + 30)), 0) end
      return nil, at, table.concat(parts)
    end
    local length = tonumber(size, 16)
    if length == 0 then
      -- Trailers, then the empty line.
      local from = last + 1
      while true do
        local stop = bytes:find("\r\n", from, true)
        if not stop then return nil, at, table.concat(parts) end
        if stop == from then return table.concat(parts), stop + 2 end
        from = stop + 2
      end
    end
    if #bytes < last + length + 2 then return nil, at, table.concat(parts) end
    if bytes:sub(last + length + 1, last + length + 2) ~= "\r\n" then error("a chunk without its line end", 0) end
    parts[#parts + 1] = bytes:sub(last + 1, last + length)
    at = last + length + 3
  end
end

local function bodiless(method, status)
  return method == "HEAD" or status == 204 or status == 304 or (status >= 100 and status < 200)
end

---@class sprylua.testing.Parser
local Parser = {}
Parser.__index = Parser

---A parser for the answers to requests of one connection, fed as bytes come.
---@return sprylua.testing.Parser
function M.parser()
  return setmetatable({ bytes = "", interim = {} }, Parser)
end

---@param bytes string
function Parser:feed(bytes)
  self.bytes = self.bytes .. bytes
end

---The head of the answer, as soon as it is complete: a response whose body is still "". 1xx answers other than 101 are
---put into `interim`.
---@return sprylua.testing.Response?
function Parser:head()
  while not self.response do
    local response, at = parseHead(self.bytes, 1)
    if not response then return nil end
    self.bytes = self.bytes:sub(at)
    if response.status >= 200 or response.status == 101 then
      self.response = response
    else
      self.interim[#self.interim + 1] = response
    end
  end
  return self.response
end

---The whole answer to a request with `method`, or nil when there is more to come. `ended`: the server has closed, which
---ends a body without a length.
---@param method string
---@param ended boolean?
---@return sprylua.testing.Response?
function Parser:answer(method, ended)
  local response = self:head()
  if not response then return nil end
  local encoding, length = response.headers:get "transfer-encoding", response.headers:get "content-length"
  if encoding and length then error("the server sent both Transfer-Encoding and Content-Length", 0) end
  local content, at
  if bodiless(method, response.status) then
    content, at = "", 1
  elseif encoding == "chunked" then
    content, at = parseChunked(self.bytes, 1)
  elseif length then
    local n = tonumber(length:match "^%d+$")
    if not n then error(("the server sent a bad Content-Length: %q"):format(length), 0) end
    if #self.bytes >= n then content, at = self.bytes:sub(1, n), n + 1 end
  elseif ended then
    content, at = self.bytes, #self.bytes + 1
  end
  if not content then return nil end
  self.bytes = self.bytes:sub(at)
  self.response = nil
  response.body = content
  return response
end

---What is there of a body that may never end, each byte once: for answers read while they stream.
---@return string
function Parser:take()
  local response = self:head()
  if not response then return "" end
  local encoding = response.headers:get "transfer-encoding"
  if encoding ~= "chunked" then
    local all = self.bytes
    self.bytes = ""
    return all
  end
  local whole, at, part = parseChunked(self.bytes, 1)
  self.bytes = self.bytes:sub(at)
  if whole then self.ended = true end
  return whole or part
end

return M
