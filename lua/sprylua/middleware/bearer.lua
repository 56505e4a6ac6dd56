-- `bearer`: a token in the Authorization header (RFC 6750).

local authorization = require "sprylua.middleware.authorization"
local options = require "sprylua.options"
local secret = require "sprylua.middleware.secret"

---@class sprylua.BearerOptions
---@field tokens string[]? those that are let in
---@field verify (fun(token: string, event: sprylua.Event): any)? what is not true itself becomes event.locals.user
---@field realm string? what the token is for

-- RFC 6750, section 2.1.
local function is_token(text)
  return text:find "^[%w%-._~+/]+=*$" ~= nil
end

local texts = options.texts()

local function is_tokens(value)
  if not texts.fits(value) or #value == 0 then
    return false
  end
  for _, token in ipairs(value) do
    if not is_token(token) then
      return false
    end
  end
  return true
end

local rules = {
  tokens = options.rule("a list of tokens, one or more, of letters, digits and -._~+/=", is_tokens),
  verify = options.fn(),
  realm = options.text "Restricted",
}

local function verify_by(tokens)
  return function(given)
    local found = false
    for _, token in ipairs(tokens) do
      found = secret.equal(given, token) or found
    end
    return found
  end
end

---@param given sprylua.BearerOptions
---@return sprylua.Middleware
return function(given)
  local read = options.read("bearer", given, rules)
  authorization.oneWay("bearer", read, "tokens")
  local verify = read.verify or verify_by(read.tokens)
  local challenge = authorization.challenge("Bearer", read.realm)
  local malformed, wrong = challenge .. ', error="invalid_request"', challenge .. ', error="invalid_token"'
  return function(event, next)
    local token = authorization.credentials(event, "bearer")
    if not token then
      authorization.refuse(401, challenge)
    elseif not is_token(token) then
      authorization.refuse(400, malformed, "the Authorization header has no well-formed bearer token")
    end
    local user = verify(token, event)
    if not user then
      authorization.refuse(401, wrong)
    elseif user ~= true then
      event.locals.user = user
    end
    event.locals.token = token
    return next()
  end
end
