-- bodyLimit { size = 100 * 1024 * 1024 }: how long a body may be here, instead of `limits.body`: less, or more. It
-- holds where the body is read, which then is a 413; of two around one handler the inner one counts.

local core = require "sprylua.core"
local options = require "sprylua.options"
local request = require "sprylua.request"

---@param given { size: integer } bytes
---@return sprylua.Middleware
return function(given)
  local size = options.read("bodyLimit", given, { size = options.required(options.integer(0)) }).size
  request.allowBody(size)
  return function(event, next)
    core.request.limitBody(event, size)
    return next()
  end
end
