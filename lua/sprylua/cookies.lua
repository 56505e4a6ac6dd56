-- `event.cookies` (RFC 6265): reads what the client sent, and queues Set-Cookie for whatever response will be sent (an
-- error page or a 101 too). The queue is the request's: a Response that a route keeps for all requests is not touched.

local core = require "sprylua.core"
local headers = require "sprylua.headers"
local http_date = require "sprylua.http_date"
local registry = require "sprylua.registry"
local signature = require "sprylua.signature"

local M = {}

---@class sprylua.CookieOptions
---@field path string? "/" when not given
---@field domain string?
---@field maxAge integer? seconds
---@field expires integer? a time as os.time gives it
---@field httpOnly boolean?
---@field secure boolean?
---@field sameSite "strict"|"lax"|"none"|nil
---@field partitioned boolean? one for each site that embeds ours
---@field signed boolean? nobody else can make or change it; everybody can read it

---@class sprylua.Cookies
local Cookies = { __name = "sprylua.Cookies" }
local methods = {}

-- Name and value together; browsers drop what is longer (RFC 6265bis, section 5.7).
local LONGEST = 4096

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
    local name, value = pair:match("^%s*([^=%s]+)%s*=%s*(.*)$")
    -- Of two cookies with one name browsers send the one with the more exact path first.
    if name and values[name] == nil then
      value = value:match("^(.*%S)") or ""
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

-- The secrets, or nil and a sentence.
local function secrets_of(self)
  local secrets = registry.of(rawget(self, "event")).app.config.secrets
  if not secrets then
    return nil, signature.MISSING
  end
  return secrets
end

local function check_get(options)
  for key, value in pairs(type(options) == "table" and options or { options }) do
    if key ~= "signed" or type(value) ~= "boolean" then
      return "the only option of event.cookies:get is { signed = true }"
    end
  end
end

---A cookie that the client sent, decoded. With `signed`, nil as well for one that was not signed by us under that name.
---@param name string
---@param options { signed: boolean? }?
---@return string?
function methods:get(name, options)
  local problem = check_get(options)
  if problem then
    error(problem, 2)
  end
  local value = values_of(self)[name]
  if not options or not options.signed then
    return value
  end
  local secrets, missing = secrets_of(self)
  if not secrets then
    error(missing, 2)
  end
  return value and signature.verify(secrets, name, value)
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

-- `signed` is about the value alone, so it leaves no attribute.
local FLAGS = { httpOnly = "HttpOnly", secure = "Secure", partitioned = "Partitioned", signed = "" }

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
    local date = math.type(value) == "integer" and http_date.format(value)
    return date and "Expires=" .. date, "a time as os.time gives it"
  end,
  sameSite = function(value)
    local site = same_site(value)
    return site and "SameSite=" .. site, "\"strict\", \"lax\" or \"none\""
  end,
}

-- In this order, so that the header reads the same each time.
local ORDER = { "path", "domain", "maxAge", "expires", "httpOnly", "secure", "sameSite", "partitioned", "signed" }

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

-- What browsers drop without a word (RFC 6265bis, sections 4.1.3 and 5.7).
local function check_dropped(name, options)
  local lower = name:lower()
  if same_site(options.sameSite) == "None" and not options.secure then
    return ("the cookie %s: sameSite = \"none\" needs secure = true"):format(name)
  elseif options.partitioned and not options.secure then
    return ("the cookie %s: partitioned needs secure = true"):format(name)
  elseif lower:find("^__secure%-") and not options.secure then
    return ("the cookie %s: its name needs secure = true"):format(name)
  elseif lower:find("^__host%-") and (not options.secure or options.domain or (options.path or "/") ~= "/") then
    return ("the cookie %s: its name needs secure = true, no domain and the path \"/\""):format(name)
  end
end

local function check(name, value, options)
  if not headers.isToken(name) then
    return ("%q is not a cookie's name; it takes letters, digits, - and _"):format(tostring(name))
  elseif type(value) ~= "string" and type(value) ~= "number" then
    return ("the cookie %s must be a string, not a %s"):format(name, type(value))
  elseif options ~= nil and type(options) ~= "table" then
    return ("the options of a cookie are a table such as { httpOnly = true }, not a %s"):format(type(options))
  end
  return check_dropped(name, options or {})
end

-- The value as it is sent, or nil and a sentence.
local function written(self, name, value, signed)
  if signed then
    local secrets, problem = secrets_of(self)
    if not secrets then
      return nil, problem
    end
    value = signature.sign(secrets[1], name, value)
  end
  local text = encode(value)
  if #name + #text > LONGEST then
    return nil, ("the cookie %s is too long: its name and value make %d bytes, and browsers drop more than %d"):format(
      name, #name + #text, LONGEST)
  end
  return text
end

-- The whole field after "name=", or nil and a sentence.
local function field(self, name, value, options)
  local problem = check(name, value, options)
  if problem then
    return nil, problem
  end
  local rest, text
  rest, problem = attributes(options or {})
  if rest then
    text, problem = written(self, name, tostring(value), options and options.signed)
  end
  return text and text .. rest, problem
end

---Sends a cookie with whatever response is sent; set again, it replaces itself.
---@param name string
---@param value string|number
---@param options sprylua.CookieOptions?
function methods:set(name, value, options)
  local text, problem = field(self, name, value, options)
  if not text then
    error(problem, 2)
  end
  queue(self, name, text)
end

---Tells the client to forget a cookie. Path and domain must be those it was set with.
---@param name string
---@param options sprylua.CookieOptions?
function methods:delete(name, options)
  local gone = options
  if options == nil or type(options) == "table" then
    gone = { maxAge = 0, expires = 0, signed = false }
    for key, value in pairs(options or {}) do
      if gone[key] == nil then
        gone[key] = value
      end
    end
  end
  local text, problem = field(self, name, "", gone)
  if not text then
    error(problem, 2)
  end
  queue(self, name, text)
end

---What is wrong with a cookie of that name and with these options; for who makes cookies later, by a recipe.
---@param name string
---@param options sprylua.CookieOptions
---@return string? problem
function M.problem(name, options)
  local problem = check(name, "", options)
  if problem then
    return problem
  end
  return select(2, attributes(options))
end

---@param event table
---@return sprylua.Cookies
function M.new(event)
  return setmetatable({ event = event }, Cookies)
end

return M
