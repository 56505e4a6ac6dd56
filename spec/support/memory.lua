-- How much memory this process has.

local M = {}

local function read(name)
  local file <close> = assert(io.open("/proc/self/" .. name))
  return file:read "a"
end

---Resident bytes; nil where a sanitizer keeps what is freed for a while, so that they say nothing.
---@return integer?
function M.resident()
  collectgarbage()
  if read "maps":find("asan", 1, true) then return nil end
  return tonumber(read "statm":match "^%d+ (%d+)") * 4096
end

return M
