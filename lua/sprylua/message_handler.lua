-- What Lua that spins is interrupted with is raised inside a hook, and while that lasts no other hook runs: a message
-- handler of xpcall that is called there can't be interrupted itself. So handlers are left out there, except our own.

local M = {}

local getinfo = debug.getinfo

local own = setmetatable({}, { __mode = "k" })

---Says that a handler takes no time to speak of and calls nothing of the project's.
---@generic F: function
---@param handler F
---@return F handler
function M.own(handler)
  own[handler] = true
  return handler
end

---A handler for what xpcall runs, in the place of `handler`.
---@param handler function
---@return function
function M.guard(handler)
  if own[handler] then
    return handler
  end
  return function(cause)
    if getinfo(1, "n").namewhat == "hook" then
      return cause
    end
    return handler(cause) -- a tail call: levels of the stack are as the handler expects them
  end
end

return M
