-- Names that nobody else has, on this machine or another: of histories' epochs, processes, servers.

local core = require "sprylua.core"

local M = {}

---@return string of 16 hexadecimal digits
function M.new()
  return (core.crypto.random(8):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

return M
