-- `logger`: a line for each answered request, in a project's own format and place. For what the server's own access log
-- cannot do: one folder alone, other fields, another destination.

local clock = require "sprylua.clock"
local log = require "sprylua.log"
local options = require "sprylua.options"

---@class sprylua.LoggerOptions
---@field format (fun(event: sprylua.Event, response: sprylua.Response, seconds: number): string?)? nil: no line
---@field write fun(line: string)? by default among the server's messages

local function default(event, response, seconds)
  return ("%s %s %d %s"):format(event.method, event.path, response.status, log.duration(seconds))
end

local rules = {
  format = options.fn(default),
  write = options.fn(log.info),
}

---@param given sprylua.LoggerOptions?
---@return sprylua.Middleware
return function(given)
  local read = options.read("logger", given, rules)
  local format, write = read.format, read.write
  return function(event, next)
    local from = clock.now()
    local response = next()
    local line = format(event, response, clock.now() - from)
    if line ~= nil then
      write(log.escape(line)) -- whatever a client put into it, it stays one line
    end
    return response
  end
end
