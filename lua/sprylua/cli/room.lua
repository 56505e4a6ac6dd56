-- What is loaded must leave room for requests.

local M = {}

---@param limits table of the settings
---@return string? problem
function M.problem(limits)
  if not limits.memory then
    return nil
  end
  collectgarbage()
  local loaded = math.ceil(collectgarbage "count" * 1024)
  if loaded * 2 <= limits.memory then
    return nil
  end
  return ("limits.memory is %d bytes, and the project as it was loaded takes %d of them: allow %d or more"):format(
    limits.memory, loaded, loaded * 2)
end

return M
