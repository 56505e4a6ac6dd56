-- Comparing secrets so that the time taken tells nothing about them.

local M = {}

---Whether both are the same. How long that takes depends on nothing but the expected one's length.
---@param given string
---@param expected string
---@return boolean
function M.equal(given, expected)
  local difference, length = #given ~ #expected, #given
  for i = 1, length > 0 and #expected or 0 do
    difference = difference | given:byte((i - 1) % length + 1) ~ expected:byte(i)
  end
  return difference == 0
end

return M
