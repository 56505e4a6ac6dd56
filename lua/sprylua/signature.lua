-- Values that come back as they were sent: a value, a dot, and an HMAC-SHA256 of both the value and its name, so that
-- what was signed as one thing does not pass as another. Everybody can read the value. Pure.

local crypto = require("sprylua.core").crypto

local M = {}

---What to do when there is nothing to sign with.
M.MISSING = "signed cookies need a secret: put secrets = { \"…\" } into sprylua.config.lua, or set the variable "
  .. "SPRYLUA_SECRETS; `openssl rand -base64 32` makes one"

---Set while a project is loaded by what will sign for it, so that its start can say that there are no secrets.
M.isNeeded = false

-- A cookie's name has neither "=" nor a space in it, so no two pairs of name and value give one text.
local function signature_of(secret, name, value)
  return crypto.base64url(crypto.hmac(secret, "cookie " .. name .. "=" .. value))
end

---@param secret string
---@param name string an RFC 9110 token
---@param value string
---@return string signed
function M.sign(secret, name, value)
  return value .. "." .. signature_of(secret, name, value)
end

---The value in a signed text; nil when none of the secrets has signed it under that name.
---@param secrets string[]
---@param name string
---@param signed string
---@return string?
function M.verify(secrets, name, signed)
  local value, signature = signed:match("^(.*)%.([^.]*)$")
  if not value then
    return nil
  end
  for _, secret in ipairs(secrets) do
    if crypto.equal(signature, signature_of(secret, name, value)) then
      return value
    end
  end
end

return M
