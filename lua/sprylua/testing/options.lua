-- What a spec gives as options: a misspelt one would be ignored, and the spec would test something else.

local M = {}

---Raises at `level` (as in error) when `given` is no table, or has a key that is not in the list `known`.
---@param given any nil: nothing was given
---@param known string[]
---@param what string whose options they are: "app:get"
---@param level integer
function M.check(given, known, what, level)
  if given == nil then return end
  if type(given) ~= "table" then
    error(("the options of %s are a table, not a %s"):format(what, type(given)), level + 1)
  end
  local names = {}
  for _, name in ipairs(known) do names[name] = true end
  for key in pairs(given) do
    if not names[key] then
      error(("%s has no option %s; it takes %s"):format(what, tostring(key), table.concat(known, ", ")), level + 1)
    end
  end
end

return M
