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
  return store:cas(name, key, present(expected), present(value), tonumber(lifetime)) and "b1" or "b0"
end

function commands.expire(store, name, key, lifetime)
  return store:expire(name, key, tonumber(lifetime)) and "b1" or "b0"
end

-- "": the value is no number.
function commands.incr(store, name, key, by, lifetime)
  return store:update(name, key, function(text)
    local value = text == nil and 0 or M.read(text)
    return type(value) == "number" and M.write(value + M.read(by)) or nil
  end, tonumber(lifetime)) or ""
end

---@param store sprylua.SharedStore
---@param command string
---@param ... string
---@return string
function M.run(store, command, ...)
  return commands[command](store, ...)
end

return M
