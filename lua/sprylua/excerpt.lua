-- The line of a file that a message is about, with the lines around it.

local M = {}

local AROUND = 1 -- lines before and after

local function place_in(message)
  local path, number = message:match "([^%s:'\"]+%.%w+):(%d+):"
  number = math.tointeger(tonumber(number))
  if number then
    return path, number
  end
end

-- Also a folder can be opened, but not read.
local function read(path)
  local file = io.open(path, "r")
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text
end

---The source that the message is about; nil when it names no line that there is.
---@param message string
---@return string?
function M.of(message)
  local path, wanted = place_in(message)
  local text = path and read(path)
  if not text then
    return nil
  end
  local lines, number, found = {}, 0, false
  for line in text:gmatch "([^\n]*)\n?" do
    number = number + 1
    if number > wanted + AROUND then
      break
    elseif number >= wanted - AROUND then
      found = found or number == wanted
      lines[#lines + 1] = ("%s %4d | %s"):format(number == wanted and ">" or " ", number, line)
    end
  end
  return found and table.concat(lines, "\n") or nil
end

return M
