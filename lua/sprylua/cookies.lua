-- `event.cookies` (RFC 6265): reads what the client sent, and queues Set-Cookie for whatever response will be sent (an
-- error page or a 101 too). The queue is the request's: a Response that a route keeps for all requests is not touched.

local core = require "sprylua.core"
local headers = require "sprylua.headers"

local M = {}

---@class sprylua.CookieOptions
---@field path string? "/" when not given
---@field domain string?
---@field maxAge integer? seconds
---@field expires integer? a time as os.time gives it
---@field httpOnly boolean?
---@field secure boolean?
---@field sameSite "strict"|"lax"|"none"|nil

---@class sprylua.Cookies
local Cookies = { __name = "sprylua.Cookies" }
local methods = {}
local SAME_SITE = { strict = "Strict", lax = "Lax", none = "None" }

function Cookies.__index(_, key)
  local method = methods[key]
  if not method then
    error(("event.cookies has no field %s; write event.cookies:get(%q)"):format(tostring(key), tostring(key)), 2)
  end
  return method
end

-- What RFC 6265 lets stand in a value; the rest, and "%" itself, is percent-encoded.
local function encode(value)
  return (value:gsub("[^%w!#$&'()*+%-./:<=>?@%[%]^_`{|}~]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function parse(text)
  local values = {}
  for pair in text:gmatch("[^;]+") do
    local name, value = pair:match("^%s*([^=%s]+)%s*=%s*(.-)%s*$")
    -- Of two cookies with one name browsers send the one with the more exact path first.
    if name and values[name] == nil then
      value = value:match('^"(.*)"$') or value
      values[name] = core.decode(value, false) or value
    end
  end
  return values
end

local function values_of(self)
  local values = rawget(self, "values")
  if not values then
    values = parse(core.request.header(rawget(self, "event"), "cookie") or "")
    rawset(self, "values", values)
  end
  return values
end

---A cookie that the client sent, decoded.
---@param name string
---@return string?
function methods:get(name)
  return values_of(self)[name]
end

---`for name, value in pairs(event.cookies)`: what the client sent.
function Cookies:__pairs()
  return next, values_of(self), nil
end

-- Queued for whatever response is sent; of two with one name the later one counts.
local function queue(self, name, rest)
  core.request.addHeader(rawget(self, "event"), "set-cookie", name .. "=" .. rest, name .. "=")
end

local function plain(text)
  return type(text) == "string" and not text:find("[%c;\x7f-\xff]")
end

-- In any letter case, as the header itself.
local function same_site(value)
  return type(value) == "string" and SAME_SITE[value:lower()]
end

local FLAGS = { httpOnly = "HttpOnly", secure = "Secure" }

local writers = {
  path = function(value)
    return plain(value) and "Path=" .. value, "a path such as \"/\""
  end,
  domain = function(value)
    return plain(value) and "Domain=" .. value, "a domain name"
  end,
  maxAge = function(value)
    return math.type(value) == "integer" and "Max-Age=" .. value, "a whole number of seconds"
  end,
  expires = function(value)
    return math.type(value) == "integer" and "Expires=" .. os.date("!%a, %d %b %Y %H:%M:%S GMT", value),
      "a time as os.time gives it"
  end,
  sameSite = function(value)
    local site = same_site(value)
    return site and "SameSite=" .. site, "\"strict\", \"lax\" or \"none\""
  end,
}

-- In this order, so that the header reads the same each time.
local ORDER = { "path", "domain", "maxAge", "expires", "httpOnly", "secure", "sameSite" }

local function attribute(key, value)
  if FLAGS[key] then
    return type(value) == "boolean" and (value and FLAGS[key] or ""), "true or false"
  end
  return writers[key](value)
end

local function attributes(options)
  for key in pairs(options) do
    if not writers[key] and not FLAGS[key] then
      return nil, ("a cookie has no option %s; it takes %s"):format(tostring(key), table.concat(ORDER, ", "))
    end
  end
  local out = {}
  for _, key in ipairs(ORDER) do
    local value = options[key]
    if value == nil and key == "path" then
      value = "/"
    end
    if value ~= nil then
      local text, wanted = attribute(key, value)
      if not text then
        return nil, ("a cookie's %s is %s, not %s"):format(key, wanted, tostring(value))
      end
      out[#out + 1] = text ~= "" and "; " .. text or nil
    end
  end
  return table.concat(out)
end

local function check(name, value, options)
  if not headers.isToken(name) then
    return ("%q is not a cookie's name; it takes letters, digits, - and _"):format(tostring(name))
  elseif type(value) ~= "string" and type(value) ~= "number" then
    return ("the cookie %s must be a string, not a %s"):format(name, type(value))
  elseif options ~= nil and type(options) ~= "table" then
    return ("the options of a cookie are a table such as { httpOnly = true }, not a %s"):format(type(options))
  end
  options = options or {}
  -- Browsers drop these without a word (RFC 6265bis, sections 4.1.3 and 5.7).
  if same_site(options.sameSite) == "None" and not options.secure then
    return ("the cookie %s: sameSite = \"none\" needs secure = true"):format(name)
  elseif name:find("^__[Ss]ecure%-") and not options.secure then
    return ("the cookie %s: its name needs secure = true"):format(name)
  elseif name:find("^__[Hh]ost%-") and (not options.secure or options.domain or (options.path or "/") ~= "/") then
    return ("the cookie %s: its name needs secure = true, no domain and the path \"/\""):format(name)
  end
end

---Sends a cookie with whatever response is sent; set again, it replaces itself.
---@param name string
---@param value string|number
---@param options sprylua.CookieOptions?
function methods:set(name, value, options)
  local problem = check(name, value, options)
  local rest
  if not problem then
    rest, problem = attributes(options or {})
  end
  if problem then
    error(problem, 2)
  end
  queue(self, name, encode(tostring(value)) .. rest)
end

---Tells the client to forget a cookie. Path and domain must be those it was set with.
---@param name string
---@param options sprylua.CookieOptions?
function methods:delete(name, options)
  local gone = { maxAge = 0, expires = 0 }
  for key, value in pairs(options or {}) do
    gone[key] = gone[key] or value
  end
  local problem = check(name, "", gone)
  local rest
  if not problem then
    rest, problem = attributes(gone)
  end
  if problem then
    error(problem, 2)
  end
  queue(self, name, rest)
end

---@param event table
---@return sprylua.Cookies
function M.new(event)
  return setmetatable({ event = event }, Cookies)
end

return M
