-- The line of a file that a message is about, with the lines around it.

local M = {}

local AROUND = 1 -- lines before and after

-- The two ways in which messages name a place: ours, and Lua's.
local PLACES = { "([^%s:'\"]+%.%w+): line (%d+):", "([^%s:'\"]+%.%w+):(%d+):" }

local function place_in(message)
  for _, pattern in ipairs(PLACES) do
    local path, number = message:match(pattern)
    if path then
      return path, math.tointeger(tonumber(number))
    end
  end
end

---The source that the message is about; nil when it names no line that there is.
---@param message string
---@return string?
function M.of(message)
  local path, wanted = place_in(message)
  local file = path and io.open(path, "r")
  if not file then
    return nil
  end
  local lines, number, found = {}, 0, false
  for line in file:lines() do
    number = number + 1
    if number > wanted + AROUND then
      break
    elseif number >= wanted - AROUND then
      found = found or number == wanted
      lines[#lines + 1] = ("%s %4d | %s"):format(number == wanted and ">" or " ", number, line)
    end
  end
  file:close()
  return found and table.concat(lines, "\n") or nil
end

return M
