-- Options that a user passes as a table: every name and value is checked where it is given, so that a typing error is
-- said at the start and not ignored. A rule says what a value may be, and what it is when it is not given.

local nearest = require "sprylua.nearest"

local M = {}

---The largest size or number that can be set.
M.MOST = 1 << 40

---@class sprylua.OptionRule
---@field default any
---@field fits fun(value: any): any false when the value is wrong
---@field what string what it should have been: "a number from 1 to 9"
---@field required boolean?

---@param what string
---@param fits fun(value: any): any
---@param default any
---@return sprylua.OptionRule
function M.rule(what, fits, default)
  return { what = what, fits = fits, default = default }
end

---@param rule sprylua.OptionRule
---@return sprylua.OptionRule
function M.required(rule)
  rule.required = true
  return rule
end

local function of_type(name)
  return function(value)
    return type(value) == name
  end
end

---@param default boolean?
function M.boolean(default)
  return M.rule("true or false", of_type "boolean", default)
end

---@param default string?
function M.text(default)
  return M.rule("a string", of_type "string", default)
end

---@param default function?
function M.fn(default)
  return M.rule("a function", of_type "function", default)
end

---1e6 and 2^20 are floats to Lua; to who writes them they are whole numbers.
---@param value any
---@return any the integer that a float stands for, else the value itself
function M.whole(value)
  return math.type(value) == "float" and math.tointeger(value) or value
end

---@param least integer
---@param default integer?
function M.integer(least, default)
  return M.rule(("a whole number from %d to %d"):format(least, M.MOST), function(value)
    return math.type(value) == "integer" and value >= least and value <= M.MOST
  end, default)
end

---@param default number?
---@param zero boolean? no time at all is fine
function M.seconds(default, zero)
  return M.rule("a number of seconds, " .. (zero and "0 or more" or "more than 0"), function(value)
    return type(value) == "number" and value < math.huge and (value > 0 or zero and value == 0)
  end, default)
end

---@param default string[]?
function M.texts(default)
  return M.rule("a list of strings", function(value)
    local count = 0
    for key, text in pairs(type(value) == "table" and value or { 0 }) do
      if math.type(key) ~= "integer" or type(text) ~= "string" then
        return false
      end
      count = count + 1
    end
    return count == #value
  end, default)
end

local function show(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "table" or type(value) == "function" then
    return "a " .. type(value)
  end
  return tostring(value)
end

local function unknown(owner, name, rules)
  local names = {}
  for known in pairs(rules) do
    names[#names + 1] = known
  end
  table.sort(names)
  if #names == 0 then
    return ("%s takes no options, so not %s"):format(owner, tostring(name))
  end
  local near = nearest.find(tostring(name), names)
  return ("%s has no option %s; %s"):format(owner, tostring(name),
    near and "did you mean " .. near .. "?" or "it takes " .. table.concat(names, ", "))
end

local function problem_in(owner, given, rules)
  if type(given) ~= "table" then
    return ("the options of %s are a table, not %s"):format(owner, show(given))
  end
  for name, value in pairs(given) do
    local rule = rules[name]
    if not rule then
      return unknown(owner, name, rules)
    elseif not rule.fits(M.whole(value)) then
      return ("%s: %s must be %s, not %s"):format(owner, name, rule.what, show(value))
    end
  end
  for name, rule in pairs(rules) do
    if rule.required and given[name] == nil then
      return ("%s needs the option %s: %s"):format(owner, name, rule.what)
    end
  end
end

---The options with their defaults, in a new table. Raises at the line that called the caller.
---@param owner string what takes them, for messages
---@param given table?
---@param rules table<string, sprylua.OptionRule>
---@param level integer? of another caller, as in error(): 3
---@return table
function M.read(owner, given, rules, level)
  local problem = problem_in(owner, given or {}, rules)
  if problem then
    error(problem, level or 3)
  end
  local out = {}
  for name, rule in pairs(rules) do
    out[name] = rule.default
  end
  for name, value in pairs(given or {}) do
    out[name] = M.whole(value)
  end
  return out
end

return M
