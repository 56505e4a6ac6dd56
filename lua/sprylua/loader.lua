-- Runs the files of a project and checks what they return. Whatever is wrong becomes a problem in a list, with the
-- file's name, so that a start reports everything at once.

local causes = require "sprylua.cause"
local define_handler = require "sprylua.define_handler"
local makers = require "sprylua.middleware.makers"

local M = {}

-- Lua puts the file's name and the line in front, but shortens a long name: then nobody could go there.
local function with_name(path, message)
  local name, rest = message:match "^(%.%.%.[^\n:]*)(:%d+: .*)$"
  return name and path:sub(-#name + 3) == name:sub(4) and path .. rest or message
end

---What the file at `path` returns.
---@param path string
---@return boolean ok
---@return any value or a sentence, which names the file
function M.run(path)
  local chunk, message = loadfile(path, "t")
  if not chunk then
    local text = with_name(path, message --[[@as string]])
    return false, text:find(path, 1, true) and text or path .. ": " .. text
  end
  local ok, value = pcall(chunk)
  if ok then
    return true, value
  elseif value == nil then
    return false, path .. ": it raised error(nil) while it was loaded"
  end
  return false, ("%s: it raised an error while it was loaded: %s"):format(path, with_name(path, causes.describe(value)))
end

local function a(value)
  return value == nil and "returns nothing (forgot return?)" or "returns a " .. type(value)
end

---The handler of a route file, with what its defineHandler adds.
---@param path string
---@return sprylua.Definition? definition
---@return string? problem which names the file
function M.route(path)
  local ok, value = M.run(path)
  if not ok then
    return nil, value
  elseif type(value) == "function" then
    return { handler = value }
  elseif define_handler.is(value) then
    return value
  end
  return nil, ("%s: it %s; a route file returns its handler: return function(event) … end"):format(path, a(value))
end

---The function of a middleware or an error file. `shape` is how it looks, for the message.
---@param path string
---@param shape string
---@return function? fn
---@return string? problem which names the file
function M.fn(path, shape)
  local ok, value = M.run(path)
  if not ok then
    return nil, value
  elseif type(value) ~= "function" then
    return nil, ("%s: it %s; it must return a function: return %s"):format(path, a(value), shape)
  end
  local uncalled = makers.uncalled(value)
  if uncalled then
    return nil, path .. ": " .. uncalled
  end
  return value
end

local HOOKS = { onStart = true, onStop = true, onAppStart = true, onAppStop = true, onError = true }

---The table of a hooks.lua.
---@param path string
---@return table? hooks
---@return string[]? problems which name the file
function M.hooks(path)
  local ok, value = M.run(path)
  if not ok then
    return nil, { value }
  elseif type(value) ~= "table" then
    local problem = ("%s: it %s; it must return a table: return { onStart = function() … end }"):format(path, a(value))
    return nil, { problem }
  end
  local problems = {}
  for key, fn in pairs(value) do
    if not HOOKS[key] then
      problems[#problems + 1] = path .. ": there is no hook " .. tostring(key)
        .. "; there are onStart, onStop, onAppStart, onAppStop and onError"
    elseif type(fn) ~= "function" then
      problems[#problems + 1] = ("%s: %s must be a function, not a %s"):format(path, key, type(fn))
    end
  end
  table.sort(problems)
  return #problems == 0 and value or nil, problems
end

return M
