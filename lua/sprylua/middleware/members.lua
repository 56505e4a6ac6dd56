-- The middleware that every, some and except are made of.

local makers = require "sprylua.middleware.makers"

---The arguments as a list; what is no function is an error at the line that called the caller.
---@param owner string
---@param ... sprylua.Middleware
---@return sprylua.Middleware[]
return function(owner, ...)
  local list = table.pack(...)
  if list.n == 0 then
    error(owner .. " needs a middleware, a function(event, next), or several", 3)
  end
  for i = 1, list.n do
    if type(list[i]) ~= "function" then
      error(("%s takes middleware, each a function(event, next); number %d is a %s"):format(owner, i, type(list[i])), 3)
    end
    local uncalled = makers.uncalled(list[i])
    if uncalled then
      error(("%s: number %d: %s"):format(owner, i, uncalled), 3)
    end
  end
  return list
end
