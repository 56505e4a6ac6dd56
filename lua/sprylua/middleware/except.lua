-- `except(condition, a, b, …)`: middleware that some requests do not pass.

local every = require "sprylua.middleware.every"
local members = require "sprylua.middleware.members"
local options = require "sprylua.options"

---@alias sprylua.Condition string|string[]|fun(event: sprylua.Event): any

local texts = options.texts()

-- As event.pathname is written: without a slash at the end. A "*" stands for all below, and only at the end.
local function is_path(text)
  return text == "/" or text == "/*" or text:gsub("/%*$", ""):find "^/[^*]*[^*/]$" ~= nil
end

local function check(condition)
  local ok = texts.fits(condition) and #condition > 0
  for _, path in ipairs(ok and condition or {}) do
    ok = ok and is_path(path)
  end
  if not ok then
    error('except begins with a path such as "/login" or "/public/*", a list of these, or a function(event)', 3)
  end
end

-- "/public/*" is /public too: a path has no slash at the end that would tell them apart.
local function matcher(paths)
  local exact, below = {}, {}
  for _, path in ipairs(paths) do
    local folder = path:match "^(.*)/%*$"
    exact[folder or path] = true
    if folder then
      below[#below + 1] = folder .. "/"
    end
  end
  return function(event)
    local pathname = event.pathname
    if exact[pathname] then
      return true
    end
    for _, start in ipairs(below) do
      if pathname:sub(1, #start) == start then
        return true
      end
    end
    return false
  end
end

---@param condition sprylua.Condition
---@param ... sprylua.Middleware
---@return sprylua.Middleware
return function(condition, ...)
  local holds = condition
  if type(condition) ~= "function" then
    local paths = type(condition) == "string" and { condition } or condition
    check(paths)
    holds = matcher(paths)
  end
  local inner = every(table.unpack(members("except", ...)))
  return function(event, next, scope)
    if holds(event) then
      return next()
    end
    return inner(event, next, scope)
  end
end
