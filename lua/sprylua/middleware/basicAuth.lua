-- `basicAuth`: a name and a password, as browsers ask for them (RFC 7617).

local authorization = require "sprylua.middleware.authorization"
local base64 = require "sprylua.middleware.base64"
local options = require "sprylua.options"
local secret = require "sprylua.middleware.secret"

---@class sprylua.BasicAuthOptions
---@field users table<string, string>? passwords by name
---@field verify (fun(user: string, password: string, event: sprylua.Event): any)? anything but false and nil lets in
---@field realm string? what the password is for

local function is_users(value)
  if type(value) ~= "table" or next(value) == nil then
    return false
  end
  for name, password in pairs(value) do
    if type(name) ~= "string" or name:find "[:%c]" or type(password) ~= "string" or password == "" then
      return false
    end
  end
  return true
end

local rules = {
  users = options.rule('a table such as { ada = "her password" } with a user or more', is_users),
  verify = options.fn(),
  realm = options.text "Restricted",
}

-- A name that is not there costs a comparison too, so that the time does not tell which names are.
local function verify_by(users)
  local some_password = select(2, next(users))
  return function(user, password)
    local expected = users[user]
    return secret.equal(password, expected or some_password) and expected ~= nil
  end
end

local function name_and_password(event)
  local given = authorization.credentials(event, "basic")
  local text = given and base64.decode(given)
  if text and not text:find "%c" then
    return text:match "^([^:]*):(.*)$"
  end
end

---@param given sprylua.BasicAuthOptions
---@return sprylua.Middleware
return function(given)
  local read = options.read("basicAuth", given, rules)
  authorization.oneWay("basicAuth", read, "users")
  local verify = read.verify or verify_by(read.users)
  local challenge = authorization.challenge("Basic", read.realm) .. ', charset="UTF-8"'
  return function(event, next)
    local user, password = name_and_password(event)
    if not user or not verify(user, password, event) then
      authorization.refuse(401, challenge)
    end
    event.locals.user = user
    return next()
  end
end
