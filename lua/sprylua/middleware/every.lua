-- `every(a, b, …)`: several middleware as one, the first outermost, as if each were in a file of its own.

local compose = require "sprylua.compose"
local members = require "sprylua.middleware.members"

local function run(list, i, event, next, scope)
  if i == #list then
    return list[i](event, next, scope)
  end
  return list[i](event, function()
    return compose.settle(function()
      return run(list, i + 1, event, next, scope)
    end, event, scope)
  end, scope)
end

---@param ... sprylua.Middleware
---@return sprylua.Middleware
return function(...)
  local list = members("every", ...)
  return function(event, next, scope)
    return run(list, 1, event, next, scope)
  end
end
