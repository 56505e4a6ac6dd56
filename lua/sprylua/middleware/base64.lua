-- Base64 (RFC 4648, section 4), the reading half.

local M = {}

local values = {}
for i, char in ipairs { ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(1, -1) } do
  values[char] = i - 1
end

local function group(text)
  local a, b, c, d = text:byte(1, 4)
  local bits = values[a] << 18 | values[b] << 12 | (values[c] or 0) << 6 | (values[d] or 0)
  return string.char(bits >> 16, bits >> 8 & 255, bits & 255)
end

---The bytes that `text` stands for, or nil when it is no base64 with its padding.
---@param text string
---@return string?
function M.decode(text)
  local digits, padding = text:match "^([%w+/]*)(=?=?)$"
  if not digits or #text % 4 ~= 0 then
    return nil
  end
  local bytes = text:gsub("....", group)
  return bytes:sub(1, #bytes - #padding)
end

return M
