-- `csrf`: keeps other sites' pages from posting with a visitor's cookies. Browsers say where a request comes from, in
-- Sec-Fetch-Site or in Origin; what says neither is no browser, and has no cookies that somebody else put there.
-- A WebSocket handshake is a GET, and looks at its Origin itself.

local http_error = require "sprylua.http_error"
local options = require "sprylua.options"
local origin = require "sprylua.origin"

---@class sprylua.CsrfOptions
---@field origins sprylua.Origins? other sites that may post here

local rules = { origins = origin.rule() }

local SAFE = { GET = true, HEAD = true, OPTIONS = true }
local OWN_SITE = { ["same-origin"] = true, none = true } -- none: typed, or a bookmark

local function from_here(event, from)
  local site = event.headers:get "sec-fetch-site"
  if site then
    return OWN_SITE[site] or false
  end
  return not from or origin.sameHost(from, event.url.host)
end

---@param given sprylua.CsrfOptions?
---@return sprylua.Middleware
return function(given)
  local read = options.read("csrf", given, rules)
  local allowed = origin.matcher(read.origins)
  return function(event, next)
    if SAFE[event.method] then
      return next()
    end
    local from = event.headers:get "origin"
    if not from_here(event, from) and not (from and allowed(from, event)) then
      error(http_error.HTTPError(403, {
        message = ("this request comes from a page of another site (Origin: %s); to allow it, list that origin in the "
          .. "option origins of csrf"):format(from or "none"),
      }), 0)
    end
    return next()
  end
end
