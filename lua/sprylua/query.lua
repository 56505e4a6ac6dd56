-- Name-value pairs in the form of a query string: `event.query`, and the fields of a form.

local core = require "sprylua.core"
local wellformed = require "sprylua.wellformed"

local M = {}

---@class sprylua.Query a flat list { name, value, name, value … }, decoded, in order
local Query = { __name = "sprylua.Query" }
local methods = {}

Query.__index = setmetatable(methods, {
  __index = function(_, key)
    if math.type(key) == nil then
      error(("there is no field %s here; write :get(%q)"):format(tostring(key), tostring(key)), 2)
    end
  end,
})

---The first value of that name.
---@param name string
---@return string?
function methods:get(name)
  for i = 1, #self, 2 do
    if self[i] == name then
      return self[i + 1]
    end
  end
end

---Every value of that name, in order.
---@param name string
---@return string[]
function methods:getAll(name)
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
function methods:has(name)
  return self:get(name) ~= nil
end

---`for name, value in pairs(query)`, in order, repeated names repeatedly.
function Query:__pairs()
  local i = -1
  return function()
    i = i + 2
    return rawget(self, i), rawget(self, i + 1)
  end
end

-- A broken escape ("100%", "%zz") stays as it was written, as in every browser's URLSearchParams: no page should fail
-- for what a mailer appended to its link. (In the path, which decides what runs, it is a 400.)
-- What is not UTF-8 becomes U+FFFD, as there: nobody has to expect bytes that no text has.
local function decode(text)
  local decoded = core.decode(text, true) or text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return decoded:find("[\x80-\xff]") and wellformed.utf8(decoded) or decoded
end

---A Query from a list { name, value … } that is decoded already.
---@param list string[]
---@return sprylua.Query
function M.from(list)
  return setmetatable(list, Query)
end

---@param text string? "a=1&b=2"
---@return sprylua.Query
function M.parse(text)
  return setmetatable(core.pairs(text, decode), Query)
end

---`event.query` of an event.
---@type fun(event: table): sprylua.Query
M.of = core.request.queryGetter(decode, Query)

return M
