-- `event.params`: the values of a route's parameters. A value that does not convert means that there is nothing at this
-- address, so it is a 404 and never a 500. An optional parameter that is absent is nil in all but `required`.

local core = require "sprylua.core"
local http_error = require "sprylua.http_error"

local M = {}

---@class sprylua.Params a table by name, with these methods
---@field [string] string
local Params = { __name = "sprylua.Params" }
local methods = {}

-- A parameter named like a method is moved below this key, so that `event.params:get("get")` finds it.
local SHADOWED = {}

Params.__index = methods

-- Hides SHADOWED from those who look through the parameters.
function Params:__pairs()
  local all = rawget(self, SHADOWED) or {}
  for name, value in next, self do
    if name ~= SHADOWED then
      all[name] = value
    end
  end
  return next, all, nil
end

local function value_of(self, name)
  local value = rawget(self, name)
  if value == nil then
    local hidden = rawget(self, SHADOWED)
    value = hidden and hidden[name]
  end
  return value
end

local function refuse(name, value, wanted)
  error(http_error.NotFoundError(("the parameter %s is %s, not %q"):format(name, wanted, value)), 0)
end

---@param name string
---@return string?
function methods:get(name)
  return value_of(self, name)
end

---The value, or a 404 when the path has none.
---@param name string
---@return string
function methods:required(name)
  local value = value_of(self, name)
  if value == nil then
    error(http_error.NotFoundError(("the parameter %s is missing"):format(name)), 0)
  end
  return value
end

---A whole number of 64 bits: an optional "-" and digits, nothing else.
---@param name string
---@return integer?
function methods:int(name)
  local number = core.integerAt(self, name)
  if number then
    return number
  end
  local value = value_of(self, name)
  if value == nil then
    return nil
  end
  return core.integer(value) or refuse(name, value, "a whole number")
end

---A decimal number: "-1", "2.5", "1e3"; not "0x10", not "inf".
---@param name string
---@return number?
function methods:num(name)
  local value = value_of(self, name)
  if value == nil then
    return nil
  end
  local mantissa = value:match("^%-?([%d.]+)$") or value:match("^%-?([%d.]+)[eE][+-]?%d+$")
  local number = mantissa and tonumber(value)
  if not number or number - number ~= 0 then
    refuse(name, value, "a number")
  end
  return number
end

---One of the values listed.
---@param name string
---@param allowed string[]
---@return string?
function methods:enum(name, allowed)
  if type(allowed) ~= "table" then
    error(("params:enum takes a list such as { \"asc\", \"desc\" }, not a %s"):format(type(allowed)), 2)
  end
  local value = value_of(self, name)
  if value == nil then
    return nil
  end
  for _, candidate in ipairs(allowed) do
    if value == candidate then
      return value
    end
  end
  refuse(name, value, "one of " .. table.concat(allowed, ", "))
end

---What `convert(value)` makes of it; nil, false or an error from it is a 404 (an HTTPError stays what it is).
---@generic T
---@param name string
---@param convert fun(value: string): T
---@return T?
function methods:decode(name, convert)
  if type(convert) ~= "function" then
    error(("params:decode takes a function, not a %s"):format(type(convert)), 2)
  end
  local value = value_of(self, name)
  if value == nil then
    return nil
  end
  local ok, result = pcall(convert, value)
  if not ok and http_error.is(result) then
    error(result, 0)
  elseif not ok or not result then
    refuse(name, value, "of another form")
  end
  return result
end

---Gives a table of values these methods. The table is taken over, not copied.
---@param values table<string, string>
---@return sprylua.Params
function M.new(values)
  local hidden
  for name, value in next, values do
    if methods[name] then
      hidden = hidden or {}
      hidden[name], values[name] = value, nil
    end
  end
  values[SHADOWED] = hidden
  return setmetatable(values, Params)
end

---`event.params` of an event.
---@type fun(event: table): sprylua.Params
M.of = core.request.paramsGetter(methods, Params, M.new)

return M
