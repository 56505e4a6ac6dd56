-- `spry.defineHandler`: a handler with what belongs to it alone. Returns a tagged table that app.lua takes apart.

local makers = require "sprylua.middleware.makers"

local M = {}

---@class sprylua.Definition
---@field handler fun(event: table): any
---@field middleware (fun(event: table, next: function): any)[]?
---@field onError (fun(err: table, event: table): any)?
---@field openapi table? kept for tools; not looked at
local Definition = { __name = "sprylua.Definition" }

local KEYS = { handler = "function", middleware = "table", onError = "function", openapi = "table" }

local function check(definition)
  if type(definition) ~= "table" then
    return ("defineHandler takes a table such as { handler = … }, not a %s"):format(type(definition))
  end
  for key, value in pairs(definition) do
    if not KEYS[key] then
      return ("defineHandler takes handler, middleware, onError and openapi, not %s"):format(tostring(key))
    elseif type(value) ~= KEYS[key] then
      return ("defineHandler: %s is a %s, not a %s"):format(key, KEYS[key], type(value))
    end
  end
  if not definition.handler then
    return "defineHandler needs a handler: { handler = function(event) … end }"
  end
  for i, middleware in ipairs(definition.middleware or {}) do
    if type(middleware) ~= "function" then
      return ("defineHandler: middleware[%d] is a function(event, next), not a %s"):format(i, type(middleware))
    end
    local uncalled = makers.uncalled(middleware)
    if uncalled then
      return ("defineHandler: middleware[%d]: %s"):format(i, uncalled)
    end
  end
end

---@param definition sprylua.Definition
---@return sprylua.Definition
function M.defineHandler(definition)
  local problem = check(definition)
  if problem then
    error(problem, 2)
  end
  return setmetatable(definition, Definition)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Definition
end

return M
