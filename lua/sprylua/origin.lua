-- The Origin that a browser says a request comes from (RFC 6454): "https://example.org", or "null". Pages cannot lie
-- about it.

local options = require "sprylua.options"

local M = {}

local PATTERN = "^(%a[%w+.-]*)://([^/%s*]+)$"
local DEFAULT_PORT = { http = ":80$", https = ":443$" }

---Whether `origin` is a page of the host that was asked.
---@param origin string
---@param host string as in event.url.host
---@return boolean
function M.sameHost(origin, host)
  local scheme, authority = origin:lower():match(PATTERN)
  -- Browsers leave a scheme's own port out of Origin; a client may write it into Host.
  local port = DEFAULT_PORT[scheme]
  if not port then
    return false -- "null", or an app's own scheme: nothing that a host serves
  end
  return authority:gsub(port, "") == host:lower():gsub(port, "")
end

---@alias sprylua.Origins string[]|fun(origin: string, event: sprylua.Event): boolean?

local list = options.texts()

local function is_origins(value)
  if type(value) == "function" then
    return true
  elseif not list.fits(value) then
    return false
  end
  for _, origin in ipairs(value) do
    if not origin:find(PATTERN) then
      return false
    end
  end
  return true
end

M.WHAT = 'a list of origins without a path, such as { "https://example.org" }, or a function(origin, event)'

---For `options.read`: which origins are let in.
---@return sprylua.OptionRule
function M.rule()
  return options.rule(M.WHAT, is_origins)
end

---Whether `value` is what `M.rule` takes.
M.fits = is_origins

-- A function written for a framework where it returns the origin to send would let everybody in.
local function checked(result)
  if result ~= nil and type(result) ~= "boolean" then
    error(("the function origins returned a %s; it returns true or false"):format(type(result)), 0)
  end
  return result == true
end

---The test that such an option describes; without one nobody is let in.
---@param origins sprylua.Origins?
---@return fun(origin: string, event: sprylua.Event): boolean
function M.matcher(origins)
  if type(origins) == "function" then
    return function(origin, event)
      return checked(origins(origin, event))
    end
  end
  local known = {}
  for _, origin in ipairs(origins or {}) do
    known[origin:lower()] = true
  end
  return function(origin)
    return known[origin:lower()] == true
  end
end

return M
