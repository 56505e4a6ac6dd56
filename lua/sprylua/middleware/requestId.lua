-- `requestId`: every answer says which request it belongs to, in a header and in event.locals.requestId.

local headers = require "sprylua.headers"
local options = require "sprylua.options"

---@class sprylua.RequestIdOptions
---@field header string? "x-request-id"
---@field trust boolean? take over the id that the client sent
---@field generate (fun(event: sprylua.Event): string)? by default event.id

local rules = {
  header = options.rule("the name of a header", headers.isToken, "x-request-id"),
  trust = options.boolean(false),
  generate = options.fn(function(event)
    return event.id
  end),
}

local LONGEST = 128

-- An id goes into logs and into other systems: nothing that could mean something there.
local function harmless(id)
  return id and #id <= LONGEST and id:find "^[%w%-_.:=+/]+$"
end

---@param given sprylua.RequestIdOptions?
---@return sprylua.Middleware
return function(given)
  local read = options.read("requestId", given, rules)
  local header, generate = read.header, read.generate
  return function(event, next)
    local id = read.trust and event.headers:get(header)
    if not harmless(id) then
      id = generate(event)
    end
    if type(id) ~= "string" then
      error(("the function generate of requestId returned a %s; it returns a string"):format(type(id)), 0)
    end
    event.locals.requestId = id
    local response = next()
    response.headers:set(header, id)
    return response
  end
end
