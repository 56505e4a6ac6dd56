-- `timing`: a Server-Timing header, which browsers show beside the request. Handlers add to it by event.locals.timing.

local clock = require "sprylua.clock"
local headers = require "sprylua.headers"
local options = require "sprylua.options"
local tasks = require "sprylua.tasks"

---@class sprylua.Timing
---@field entries string[] as they stand in the header
local Timing = { __name = "sprylua.Timing" }
Timing.__index = Timing

local function check_name(name)
  if not headers.isToken(name) then
    error(("a timing's name takes letters, digits, - and _, not %q; put the rest in its description"):format(
      tostring(name)), 3)
  end
end

local function is_number(value)
  return type(value) == "number" and value == value and math.abs(value) < math.huge
end

---Adds an entry: `add("db", 0.012, "read users")`, or one without a time, `add("miss")`.
---@param name string
---@param seconds number?
---@param description string?
function Timing:add(name, seconds, description)
  check_name(name)
  if seconds ~= nil and not is_number(seconds) then
    error(("timing:add takes a number of seconds, not %s"):format(tostring(seconds)), 2)
  end
  local entry = name
  if seconds then
    entry = ("%s;dur=%.1f"):format(entry, seconds * 1000)
  end
  if description ~= nil then
    entry = ("%s;desc=%s"):format(entry, headers.quote(tostring(description)))
  end
  self.entries[#self.entries + 1] = entry
end

---Calls `fn(...)`, adds how long it took (also when it raises), and returns what it returned.
---@param name string
---@param fn function
---@return any …
function Timing:measure(name, fn, ...)
  check_name(name)
  local from = clock.now()
  local _ <close> = tasks.defer(function()
    self:add(name, clock.now() - from)
  end)
  return fn(...)
end

---@return sprylua.Middleware
return function(given)
  options.read("timing", given, {})
  return function(event, next)
    if getmetatable(event.locals.timing) == Timing then
      return next() -- one further out measures already
    end
    local timing = setmetatable({ entries = {} }, Timing)
    event.locals.timing = timing
    local from = clock.now()
    local response = next()
    timing:add("total", clock.now() - from)
    response.headers:append("server-timing", table.concat(timing.entries, ", "))
    return response
  end
end
