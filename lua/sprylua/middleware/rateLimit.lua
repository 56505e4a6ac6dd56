-- `rateLimit`: so many requests a window for each client; more are a 429. Counts are kept in this process.

local counters = require "sprylua.middleware.counters"
local http_error = require "sprylua.http_error"
local options = require "sprylua.options"

---@class sprylua.RateLimitOptions
---@field limit integer requests a window
---@field window number? seconds (60)
---@field key (fun(event: sprylua.Event): string|number|nil)? who is counted (event.remoteAddress); nil: nobody
---@field maxKeys integer? how many clients are remembered (10000)

local rules = {
  limit = options.required(options.integer(1)),
  window = options.seconds(60),
  key = options.fn(function(event)
    return event.remoteAddress
  end),
  maxKeys = options.integer(2, 10000),
}

local LONGEST = 256

-- Whole seconds to wait. Sums of floating-point times leave 10.000000000000002 of ten.
local function whole(seconds)
  return math.max(1, math.ceil(seconds - 0.001))
end

-- A key is often what a client sent, and is kept: longer ones share their beginning's count.
local function checked(key)
  if type(key) == "string" then
    return key:sub(1, LONGEST)
  elseif key ~= nil and (type(key) ~= "number" or key ~= key) then
    error(("the function key of rateLimit returned %s; it returns a string, or nil for no limit"):format(
      type(key) == "number" and "not a number" or "a " .. type(key)), 0)
  end
  return key
end

local function refuse(limit, seconds)
  error(http_error.HTTPError(429, {
    message = ("too many requests: try again in %d s"):format(seconds),
    headers = {
      ["retry-after"] = seconds,
      ["ratelimit-limit"] = limit, ["ratelimit-remaining"] = 0, ["ratelimit-reset"] = seconds,
    },
  }), 0)
end

---@param given sprylua.RateLimitOptions
---@return sprylua.Middleware
return function(given)
  local read = options.read("rateLimit", given, rules)
  local limit, key_of = read.limit, read.key
  local counts = counters.new(read.window, read.maxKeys)
  return function(event, next)
    local key = checked(key_of(event))
    if key == nil then
      return next()
    end
    local count, left = counts:add(key)
    local seconds = whole(left)
    if count > limit then
      refuse(limit, seconds)
    end
    local response = next()
    local fields = response.headers
    local inner = tonumber(fields:get "ratelimit-remaining")
    if inner and inner < limit - count then
      return response -- one further in lets fewer pass
    end
    fields:set("ratelimit-limit", limit)
    fields:set("ratelimit-remaining", limit - count)
    fields:set("ratelimit-reset", seconds)
    return response
  end
end
