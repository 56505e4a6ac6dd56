-- Comparing secrets so that the time taken tells nothing about them.

local crypto = require("sprylua.core").crypto

local M = {}

---Whether both are the same. Digests are compared, which have one length whatever the secrets have.
---@param given string
---@param expected string
---@return boolean
function M.equal(given, expected)
  return crypto.equal(crypto.sha256(given), crypto.sha256(expected))
end

return M
