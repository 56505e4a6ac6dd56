-- `some(a, b, …)`: the first middleware that lets the request through decides; when all refuse, the last one's refusal
-- is the answer. A refusal is an HTTPError from 400 to 499, or an answer without next(). Any other error says that a
-- guard is broken, which ends the search.

local failure = require "sprylua.failure"
local http_error = require "sprylua.http_error"
local members = require "sprylua.middleware.members"
local message_handler = require "sprylua.message_handler"

local function is_refusal(err)
  return http_error.is(err) and err.status < 500
end

-- What is raised again later keeps the traceback of where it was raised first.
local keep = message_handler.own(function(cause)
  return is_refusal(cause) and cause or failure.describe(cause, debug.traceback("", 2):sub(2))
end)

---@param ... sprylua.Middleware
---@return sprylua.Middleware
return function(...)
  local list = members("some", ...)
  return function(event, next, scope)
    local passed = false
    local function pass()
      passed = true
      return next()
    end
    local ok, result
    for _, member in ipairs(list) do
      ok, result = xpcall(member, keep, event, pass, scope)
      if passed or not ok and not is_refusal(result) then
        break
      end
    end
    if not ok then
      error(result, 0)
    end
    return result
  end
end
