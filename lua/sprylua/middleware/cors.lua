-- `cors`: lets pages of other origins read the answers (the CORS protocol of the Fetch standard). It guards nothing:
-- from a page that is not let in a browser keeps the answer, but the route has run all the same.

local headers = require "sprylua.headers"
local options = require "sprylua.options"
local origin = require "sprylua.origin"
local response = require "sprylua.response"
local vary = require "sprylua.vary"

---@class sprylua.CorsOptions
---@field origins "*"|sprylua.Origins|nil "*"
---@field methods string[]? that a preflight allows
---@field headers string[]? that a preflight allows; by default those that it asks for
---@field exposeHeaders string[]? that a page may read
---@field credentials boolean? cookies and the like may be sent
---@field maxAge integer? seconds for which a browser keeps a preflight's answer

-- Requests whose answer has been marked: of two around one route the inner one decides.
local decided = setmetatable({}, { __mode = "k" })

local list = options.texts()

local function tokens(what, default)
  return options.rule(what, function(value)
    for _, name in ipairs(list.fits(value) and value or { "" }) do
      if not headers.isToken(name) then
        return false
      end
    end
    return true
  end, default)
end

local rules = {
  origins = options.rule('"*", ' .. origin.WHAT, function(value)
    return value == "*" or origin.fits(value)
  end, "*"),
  methods = tokens("a list of methods", { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }),
  headers = tokens "a list of header names",
  exposeHeaders = tokens "a list of header names",
  credentials = options.boolean(false),
  maxAge = options.integer(0),
}

local function joined(names)
  return names and table.concat(names, ", ")
end

local function is_preflight(event)
  local fields = event.headers
  return event.method == "OPTIONS" and fields:has "origin" and fields:has "access-control-request-method"
end

-- What a preflight asks for, when it is a list of header names and nothing else.
local function requested_headers(event)
  local names = {}
  for name in (event.headers:get "access-control-request-headers" or ""):gmatch "[^,]+" do
    name = name:match "^%s*(.-)%s*$"
    if not headers.isToken(name) then
      return nil
    end
    names[#names + 1] = name
  end
  return joined(names)
end

local function set(fields, name, value)
  if value and value ~= "" then
    fields:set(name, value)
  end
end

-- The value of access-control-allow-origin as a function(event); nil for an origin that is not let in.
local function allowing(origins)
  if origins == "*" then
    return function()
      return "*"
    end
  end
  local allowed = origin.matcher(origins)
  return function(event)
    local from = event.headers:get "origin"
    return from and allowed(from, event) and from or nil
  end
end

---@param given sprylua.CorsOptions?
---@return sprylua.Middleware
return function(given)
  local read = options.read("cors", given, rules)
  if read.credentials and read.origins == "*" then
    error('cors: credentials need a list of origins, since browsers refuse them together with "*"', 2)
  end
  local allow, varies = allowing(read.origins), read.origins ~= "*"
  local methods, allow_headers, expose = joined(read.methods):upper(), joined(read.headers), joined(read.exposeHeaders)

  local function mark(fields, allowed)
    if varies then
      vary.add(fields, "Origin")
    end
    set(fields, "access-control-allow-origin", allowed)
    set(fields, "access-control-allow-credentials", allowed and read.credentials and "true")
  end

  local function preflight(event, allowed)
    local made = response.Response.empty()
    local fields = made.headers
    mark(fields, allowed)
    if not allow_headers then
      vary.add(fields, "Access-Control-Request-Headers")
    end
    if allowed then
      set(fields, "access-control-allow-methods", methods)
      set(fields, "access-control-allow-headers", allow_headers or requested_headers(event))
      set(fields, "access-control-max-age", read.maxAge)
    end
    return made
  end

  return function(event, next)
    local allowed = allow(event)
    if is_preflight(event) then
      return preflight(event, allowed)
    end
    local answer = next()
    if decided[event] then
      return answer
    end
    decided[event] = true
    mark(answer.headers, allowed)
    set(answer.headers, "access-control-expose-headers", allowed and expose)
    return answer
  end
end
