-- The name that somebody probably meant: for the "did you mean" of an unknown config key or command.

local M = {}

-- The number of letters to insert, drop, replace, or swap with their neighbour to make one word of the other.
local function distance(a, b)
  local before, row = nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + cost)
      local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      next_row[j] = swapped and math.min(best, before[j - 2] + 1) or best
    end
    before, row = row, next_row
  end
  return row[#b]
end

---The one of `names` that is nearest to `name`, or nil when none is near enough to be worth naming.
---@param name string
---@param names string[]
---@return string?
function M.find(name, names)
  if #name > 64 then return nil end
  local found, least
  for _, candidate in ipairs(names) do
    local d = distance(name:lower(), candidate:lower())
    if d <= math.max(1, #candidate // 3) and (not least or d < least) then found, least = candidate, d end
  end
  return found
end

---" (did you mean port?)" or "".
---@param name string
---@param names string[]
---@return string
function M.hint(name, names)
  local found = M.find(name, names)
  return found and (" (did you mean %s?)"):format(found) or ""
end

return M
