-- `session { … }`: a table that belongs to one client, `event.locals.session`, and travels in a signed cookie. Nothing
-- is kept here: what the client sends back is the session, if we have signed it and it is not too old.

local clock = require "sprylua.clock"
local cookies = require "sprylua.cookies"
local crypto = require("sprylua.core").crypto
local headers = require "sprylua.headers"
local json = require "sprylua.json"
local options = require "sprylua.options"
local signature = require "sprylua.signature"

---@class sprylua.SessionOptions
---@field name string? of the cookie: "session"
---@field maxAge integer? seconds from when it was last sent: 86400
---@field rolling boolean? it is sent with every response, so that only who stays away loses it
---@field path string? "/"
---@field domain string?
---@field secure boolean? over HTTPS alone
---@field httpOnly boolean? true: no script in the page sees it
---@field sameSite "strict"|"lax"|"none"|nil "lax"
---@field partitioned boolean?

-- Browsers keep no cookie longer: 400 days.
local LONGEST = 34560000

local function is_age(value)
  return math.type(value) == "integer" and value >= 1 and value <= LONGEST
end

local RULES = {
  name = options.rule("a cookie's name, of letters, digits, - and _", headers.isToken, "session"),
  maxAge = options.rule(("a whole number of seconds from 1 to %d"):format(LONGEST), is_age, 86400),
  rolling = options.boolean(false),
  path = options.text "/",
  domain = options.text(),
  secure = options.boolean(),
  httpOnly = options.boolean(true),
  sameSite = options.text "lax",
  partitioned = options.boolean(),
}

local ATTRIBUTES = { "maxAge", "path", "domain", "secure", "httpOnly", "sameSite", "partitioned" }
local SIGNED = { signed = true }
local SORTED = { sortKeys = true } -- so that the same session is the same text

local function is_empty(data)
  return data == nil or next(data) == nil
end

local function text_of(data)
  return not is_empty(data) and json.encode(data, SORTED) or ""
end

-- The session in a cookie; an empty one when there is none that counts.
local function unpacked(value)
  local text = value and crypto.unbase64url(value)
  local whole = text and json.decode(text)
  if type(whole) == "table" and math.type(whole.expires) == "integer" and whole.expires > clock.time()
    and type(whole.data) == "table" then
    return whole.data
  end
  return {}
end

local function packed(text, max_age)
  return crypto.base64url(('{"expires":%d,"data":%s}'):format(clock.time() + max_age, text))
end

-- What the route has left; anything but a table would be lost without a word.
local function left_by_route(event)
  local data = event.locals.session
  if data ~= nil and type(data) ~= "table" then
    error(("event.locals.session is a table, or nil to end the session, not a %s"):format(type(data)), 0)
  end
  return data
end

local function save(event, settings, before)
  local after = text_of(left_by_route(event))
  if after == before and not settings.rolling then
    return
  elseif after ~= "" then
    event.cookies:set(settings.name, packed(after, settings.maxAge), settings.cookie)
  elseif before ~= "" then
    event.cookies:delete(settings.name, settings.cookie)
  end
end

local function cookie_options(settings)
  local out = { signed = true }
  for _, name in ipairs(ATTRIBUTES) do
    out[name] = settings[name]
  end
  return out
end

---@param given sprylua.SessionOptions?
---@return sprylua.Middleware
return function(given)
  local settings = options.read("session", given, RULES)
  signature.isNeeded = true
  settings.cookie = cookie_options(settings)
  local problem = cookies.problem(settings.name, settings.cookie)
  if problem then
    error("session: " .. problem, 2)
  end
  return function(event, next)
    local data = unpacked(event.cookies:get(settings.name, SIGNED))
    local before, outer = text_of(data), event.locals.session
    event.locals.session = data
    local response = next()
    save(event, settings, before)
    event.locals.session = outer -- that of a session further out, which has another cookie
    return response
  end
end
