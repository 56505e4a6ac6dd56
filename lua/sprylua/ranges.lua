-- Which bytes a Range asks for (RFC 9110, section 14). Pure.

local M = {}

-- A download that goes on, a video, a page of a document: they ask for one range, or a few.
local MOST = 16
local MOST_OVERLAPS = 2

-- More digits than a size can have mean "to the end" all the same.
local function number(digits)
  return math.tointeger(tonumber(digits)) or math.maxinteger
end

-- One spec, "0-499", "500-" or "-500", as a range of `size` bytes; false when it lies outside, nil when malformed.
local function read_spec(spec, size)
  local first, last = spec:match("^[ \t]*(%d*)%-(%d*)[ \t]*$")
  if not first or first == "" and last == "" then
    return nil
  elseif first == "" then
    local length = math.min(number(last), size)
    return length > 0 and { first = size - length, last = size - 1 }
  end
  local from, to = number(first), last == "" and math.maxinteger or number(last)
  if to < from then
    return nil
  end
  return from < size and { first = from, last = math.min(to, size - 1) }
end

-- Asked for piece by piece, a file must not become larger than it is, nor a puzzle of pieces (section 14.2).
local function is_abuse(list, size)
  local total, overlaps = 0, 0
  for i, range in ipairs(list) do
    total = total + range.last - range.first + 1
    for j = 1, i - 1 do
      if range.first <= list[j].last and list[j].first <= range.last then
        overlaps = overlaps + 1
      end
    end
  end
  return total > size or overlaps > MOST_OVERLAPS
end

---@class sprylua.Range
---@field first integer from 0
---@field last integer the last byte that belongs to it

---The ranges of `size` bytes that the field asks for, in its order. Nil: it is to be ignored, being malformed, of
---another unit, or abusive. An empty list: it asks only for what is not there.
---@param field string the value of Range
---@param size integer
---@return sprylua.Range[]?
function M.parse(field, size)
  local unit, set = field:match("^([^=]*)=(.*)$")
  if not unit or unit:lower() ~= "bytes" then
    return nil
  end
  local list, specs = {}, 0
  for spec in set:gmatch("[^,]+") do
    if spec:find("[^ \t]") then -- a list may have empty members
      local range = read_spec(spec, size)
      specs = specs + 1
      if range == nil or specs > MOST then
        return nil
      end
      list[#list + 1] = range or nil
    end
  end
  -- The end of nothing can't be written down as a range, and is all of it.
  if specs == 0 or size == 0 and set:find("^[ \t,]*%-") or is_abuse(list, size) then
    return nil
  end
  return list
end

---The value of Content-Range.
---@param range sprylua.Range
---@param size integer
---@return string
function M.describe(range, size)
  return ("bytes %d-%d/%d"):format(range.first, range.last, size)
end

return M
