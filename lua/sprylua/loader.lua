-- Runs the files of a project and checks what they return. Whatever is wrong becomes a problem in a list, with the
-- file's name, so that a start reports everything at once.

local define_handler = require "sprylua.define_handler"
local makers = require "sprylua.middleware.makers"

local M = {}

-- Lua puts the file's name and the line in front; the name is said already, and Lua shortens a long one.
local function without_name(message)
  local line, rest = tostring(message):match("^[^\n]-:(%d+): (.*)$")
  return line and ("line %s: %s"):format(line, rest) or tostring(message)
end

---What the file at `path` returns.
---@param path string
---@return boolean ok
---@return any value or a sentence
function M.run(path)
  local chunk, message = loadfile(path, "t")
  if not chunk then
    return false, without_name(message)
  end
  local ok, value = pcall(chunk)
  if ok then
    return true, value
  elseif value == nil then
    return false, "it raised error(nil) while it was loaded"
  end
  local told, text = pcall(tostring, value)
  return false, "it raised an error while it was loaded: " .. (told and text or type(value))
end

local function a(value)
  return value == nil and "returns nothing (forgot return?)" or "returns a " .. type(value)
end

---The handler of a route file, with what its defineHandler adds.
---@param path string
---@return sprylua.Definition? definition
---@return string? problem
function M.route(path)
  local ok, value = M.run(path)
  if not ok then
    return nil, value
  elseif type(value) == "function" then
    return { handler = value }
  elseif define_handler.is(value) then
    return value
  end
  return nil, ("it %s; a route file returns its handler: return function(event) … end"):format(a(value))
end

---The function of a middleware or an error file. `shape` is how it looks, for the message.
---@param path string
---@param shape string
---@return function? fn
---@return string? problem
function M.fn(path, shape)
  local ok, value = M.run(path)
  if not ok then
    return nil, value
  elseif type(value) ~= "function" then
    return nil, ("it %s; it must return a function: return %s"):format(a(value), shape)
  end
  local uncalled = makers.uncalled(value)
  if uncalled then
    return nil, uncalled
  end
  return value
end

local HOOKS = { onStart = true, onStop = true, onAppStart = true, onAppStop = true, onError = true }

---The table of a hooks.lua.
---@param path string
---@return table? hooks
---@return string[]? problems
function M.hooks(path)
  local ok, value = M.run(path)
  if not ok then
    return nil, { value }
  elseif type(value) ~= "table" then
    return nil, { ("it %s; it must return a table: return { onStart = function() … end }"):format(a(value)) }
  end
  local problems = {}
  for key, fn in pairs(value) do
    if not HOOKS[key] then
      problems[#problems + 1] = ("there is no hook %s; there are onStart, onStop, onAppStart, onAppStop and onError")
        :format(tostring(key))
    elseif type(fn) ~= "function" then
      problems[#problems + 1] = ("%s must be a function, not a %s"):format(key, type(fn))
    end
  end
  table.sort(problems)
  return #problems == 0 and value or nil, problems
end

return M
