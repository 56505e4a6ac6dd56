-- `etag { … }`: gives whole responses an entity tag, and answers a client that has the same already with a 304 (RFC
-- 9110, sections 8.8.3 and 13). The body is still made; what is saved is sending it.

local conditional = require "sprylua.conditional"
local crypto = require("sprylua.core").crypto
local http_date = require "sprylua.http_date"
local http_error = require "sprylua.http_error"
local options = require "sprylua.options"

---@class sprylua.EtagOptions
---@field weak boolean? the tags promise the same meaning, not the same bytes

local RULES = { weak = options.boolean(false) }

-- Half of the hash is more than enough to tell the bodies of one address apart.
local HASH_BYTES = 16

-- What describes a body is left out where there is none (section 15.4.5); the client has it with the body.
local OF_THE_BODY = {
  "content-type", "content-encoding", "content-language", "content-length", "content-range", "accept-ranges",
  "last-modified",
}

local function tag_of(body, weak)
  local hash = crypto.base64url(crypto.sha256(body):sub(1, HASH_BYTES))
  return (weak and "W/\"" or "\"") .. hash .. "\""
end

local function make_unchanged(response)
  response.status, response.body, response.stream, response.length = 304, nil, nil, nil
  for _, name in ipairs(OF_THE_BODY) do
    response.headers:delete(name)
  end
end

-- What the conditions of the request make of a response.
local function apply_conditions(event, response)
  local fields = response.headers
  local date = fields:get("last-modified")
  local status = conditional.evaluate(event.method, function(name)
    return event.headers:get(name)
  end, fields:get("etag"), date and http_date.parse(date))
  if status == 304 then
    make_unchanged(response)
  elseif status == 412 then
    error(http_error.HTTPError(412), 0)
  end
end

---@param given sprylua.EtagOptions?
---@return sprylua.Middleware
return function(given)
  local settings = options.read("etag", given, RULES)
  return function(event, next)
    local response = next()
    if response.status ~= 200 or response.finish or (event.method ~= "GET" and event.method ~= "HEAD") then
      return response
    end
    if type(response.body) == "string" and not response.stream and not response.headers:has("etag") then
      response.headers:set("etag", tag_of(response.body, settings.weak))
    end
    if response.headers:has("etag") then
      apply_conditions(event, response)
    end
    return response
  end
end
