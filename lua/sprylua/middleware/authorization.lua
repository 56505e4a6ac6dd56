-- What basicAuth and bearer have in common: the Authorization header, and the 401 that asks for it (RFC 9110, 11).

local headers = require "sprylua.headers"
local http_error = require "sprylua.http_error"

local M = {}

---What follows the scheme's name in Authorization; nil when the request has none, or one of another scheme.
---@param event sprylua.Event
---@param scheme string in lower case
---@return string?
function M.credentials(event, scheme)
  local name, rest = (event.headers:get "authorization" or ""):match "^(%S+) *(.*)$"
  return name and name:lower() == scheme and rest or nil
end

---The start of a WWW-Authenticate.
---@param scheme string
---@param realm string
---@return string
function M.challenge(scheme, realm)
  return ("%s realm=%s"):format(scheme, headers.quote(realm))
end

---Raises the error that sends `challenge`.
---@param status integer
---@param challenge string
---@param message string?
function M.refuse(status, challenge, message)
  error(http_error.HTTPError(status, { message = message, headers = { ["www-authenticate"] = challenge } }), 0)
end

---Of the option `name` and of verify exactly one must be there. Raises at the line that called the caller.
---@param owner string
---@param read table
---@param name string
function M.oneWay(owner, read, name)
  if (read[name] == nil) == (read.verify == nil) then
    error(("%s needs one of the options %s and verify"):format(owner, name), 3)
  end
end

return M
