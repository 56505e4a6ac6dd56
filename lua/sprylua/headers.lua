-- Header fields: `Headers`, those of a response, and `RequestHeaders`, the view of a request's.
-- A Headers is a flat list { name, value, name, value … } with lower-case names, which the C side writes as it stands.

local core = require "sprylua.core"

local M = {}

---Whether `text` may be a field's name, a method's or a subprotocol's: an RFC 9110 token.
---@param text any
---@return boolean
function M.isToken(text)
  return core.token(text) ~= nil
end

---`text` as an RFC 9110 quoted string; a control character becomes a space.
---@param text string
---@return string
function M.quote(text)
  return '"' .. text:gsub("%c", " "):gsub('[\\"]', "\\%0") .. '"'
end

-- The field as it is stored, or nil and a sentence.
local function checked(name, value)
  local key = core.token(name)
  if not key then
    return nil, ("%q is not a header name; it takes letters, digits and -"):format(tostring(name))
  elseif type(value) == "number" then
    value = tostring(value)
  elseif type(value) ~= "string" then
    return nil, ("the header %s must be a string, not a %s"):format(name, type(value))
  end
  if not core.isFieldValue(value) then
    return nil, ("the header %s has a line break or a NUL in it, which would split the response"):format(name)
  end
  return key, value
end

---@class sprylua.Headers
local Headers = core.Headers
Headers.__index = Headers
Headers.__name = "sprylua.Headers"
M.Headers = Headers

-- headers["content-type"] looks right, and would be nil for ever.
setmetatable(Headers, {
  __index = function(_, key)
    if type(key) == "string" then
      error(("response.headers has no field %s; write response.headers:get(%q)"):format(key, key), 2)
    end
  end,
})

function Headers:__newindex(key)
  error(("response.headers has no field %s; write response.headers:set(%q, value)"):format(tostring(key),
    tostring(key)), 2)
end

local function add(self, key, text)
  local n = #self
  rawset(self, n + 1, key)
  rawset(self, n + 2, text)
end

---The field's value; repeated fields are joined with ", ".
---@type fun(self: sprylua.Headers, name: string): string?
Headers.get = core.getField

---@param name string
---@return string[]
function Headers:getAll(name)
  name = name:lower()
  local values = {}
  for i = 1, #self, 2 do
    if self[i] == name then
      values[#values + 1] = self[i + 1]
    end
  end
  return values
end

---@param name string
---@return boolean
function Headers:has(name)
  return core.getField(self, name) ~= nil
end

---Adds a field beside those of the same name.
---@param name string
---@param value string|number
function Headers:append(name, value)
  local key, text = checked(name, value)
  if not key then
    error(text, 2)
  end
  add(self, key, text)
end

---@param name string
function Headers:delete(name)
  name = name:lower()
  local kept, n = 0, #self
  for i = 1, n, 2 do
    if self[i] ~= name then
      self[kept + 1], self[kept + 2] = self[i], self[i + 1]
      kept = kept + 2
    end
  end
  for i = kept + 1, n do
    self[i] = nil
  end
end

---Replaces every field of that name.
---@param name string
---@param value string|number
function Headers:set(name, value)
  if not core.setField(self, name, value) then
    local key, text = checked(name, value)
    if not key then
      error(text, 2)
    end
    self:delete(key)
    add(self, key, text)
  end
end

---`for name, value in pairs(headers)`, in order, repeated names repeatedly.
function Headers:__pairs()
  local i = -1
  return function()
    i = i + 2
    return self[i], self[i + 1]
  end
end

-- "name: value" lines, for people.
local function lines(list)
  local out = {}
  for name, value in pairs(list) do
    out[#out + 1] = name .. ": " .. value
  end
  return table.concat(out, "\n")
end

Headers.__tostring = lines

-- Adds what a user wrote in `init.headers`: a Headers, or a table by name whose values may be lists. A sentence or nil.
local function add_all(list, given)
  for name, value in pairs(given) do
    local values = type(value) == "table" and value or { value }
    for i = 1, #values do
      local key, text = checked(name, values[i])
      if not key then
        return text
      end
      list[#list + 1], list[#list + 2] = key, text
    end
  end
end

---A Headers from `init.headers`, or nil and a sentence.
---@param given table? by name, or a Headers
---@return sprylua.Headers? headers
---@return string? problem
function M.from(given)
  local made = core.newHeaders(given)
  if made then
    return made
  end
  local list = {}
  if type(given) == "table" then
    local problem = add_all(list, given)
    if problem then
      return nil, problem
    end
  else
    return nil, ("headers must be a table such as { [\"cache-control\"] = \"no-store\" }, not a %s"):format(type(given))
  end
  return setmetatable(list, Headers)
end

-- ── a request's ─────────────────────────────────────────────────────────────

---@class sprylua.RequestHeaders made in C, for `event.headers`: it reads the request when asked, and keeps no copy
---@field get fun(self, name: string): string? the field's value; repeated fields are joined with ", "
---@field getAll fun(self, name: string): string[]
---@field has fun(self, name: string): boolean
local RequestHeaders = core.request.RequestHeaders

-- Only for names that are not there: `event.headers.cookie` would be nil for ever, and nobody would know why.
setmetatable(RequestHeaders.__index, {
  __index = function(_, key)
    error(("event.headers has no field %s; write event.headers:get(%q)"):format(tostring(key), tostring(key)), 2)
  end,
})

function RequestHeaders:__pairs()
  local list, i = core.request.headers(self), -1
  return function()
    i = i + 2
    return list[i], list[i + 1]
  end
end

RequestHeaders.__tostring = lines

return M
