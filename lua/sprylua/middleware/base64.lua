-- Base64 (RFC 4648, section 4), the reading half.

local crypto = require("sprylua.core").crypto

local M = {}

local URL_ALPHABET = { ["+"] = "-", ["/"] = "_", ["="] = "" }

---The bytes that `text` stands for, or nil when it is no base64 with its padding.
---@param text string
---@return string?
function M.decode(text)
  if #text % 4 ~= 0 or not text:find "^[%w+/]*=?=?$" then
    return nil
  end
  return crypto.unbase64url((text:gsub("[+/=]", URL_ALPHABET)))
end

return M
