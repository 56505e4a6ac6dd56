-- What can be asked of a shared table, as strings in and strings out: the same in the process that keeps it and over
-- the wire. A value is its type and its text; "" stands for no value, and for no lifetime.

local M = {}

-- ── values ──────────────────────────────────────────────────────────────────

local writers = {
  string = function(value)
    return "s" .. value
  end,
  number = function(value)
    return math.type(value) == "integer" and "i" .. value or ("f%.17g"):format(value)
  end,
  boolean = function(value)
    return value and "b1" or "b0"
  end,
  ["nil"] = function()
    return ""
  end,
}

local readers = {
  s = function(text)
    return text
  end,
  i = function(text)
    return math.tointeger(tonumber(text))
  end,
  f = function(text)
    return tonumber(text) + 0.0
  end,
  b = function(text)
    return text == "1"
  end,
}

---@param value any
---@return string? nil for what can't be shared
function M.write(value)
  local writer = writers[type(value)]
  return writer and writer(value)
end

---@param text string
---@return string|number|boolean|nil
function M.read(text)
  local reader = readers[text:sub(1, 1)]
  if reader then
    return reader(text:sub(2))
  end
end

-- Whether two values are the same: 1 and 1.0 are, as in Lua.
local function equal(one, other)
  local a, b = M.read(one), M.read(other)
  return one == other or type(a) == "number" and a == b
end

-- ── commands ────────────────────────────────────────────────────────────────

local function present(text)
  return text ~= "" and text or nil
end

local commands = {}

function commands.get(store, name, key)
  return store:get(name, key) or ""
end

function commands.set(store, name, key, value, lifetime)
  store:set(name, key, present(value), tonumber(lifetime))
  return "b1"
end

function commands.cas(store, name, key, expected, value, lifetime)
  if not equal(commands.get(store, name, key), expected) then
    return "b0"
  end
  return commands.set(store, name, key, value, lifetime)
end

function commands.expire(store, name, key, lifetime)
  return store:expire(name, key, tonumber(lifetime)) and "b1" or "b0"
end

-- As a whole number, if both are; nil for a sum that does not fit.
local function sum(a, b)
  local total = a + b
  local fits
  if math.type(total) == "integer" then
    fits = (total >= a) == (b >= 0)
  else
    fits = total - total == 0 -- neither inf nor nan
  end
  return fits and total or nil
end

-- "": the value is no number. What begins with ! says why there is no answer.
function commands.incr(store, name, key, by, lifetime)
  local problem = ""
  return store:update(name, key, function(text)
    local value = text == nil and 0 or M.read(text)
    if type(value) ~= "number" then
      return nil
    end
    local total = sum(value, M.read(by))
    problem = total and "" or "!the sum is too large"
    return total and M.write(total)
  end, tonumber(lifetime)) or problem
end

---@param store sprylua.SharedStore
---@param command string
---@param ... string
---@return string
function M.run(store, command, ...)
  return commands[command](store, ...)
end

return M
