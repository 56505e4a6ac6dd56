-- What was raised, in words: for the log, for onError, and for error files.

local M = {}

local LONGEST = 80 -- bytes of a field that are shown

local PLAIN = { number = true, boolean = true, string = true }

local function show_fields(value)
  local shown = {}
  for key, field in next, value do
    local text = PLAIN[type(field)] and tostring(field):sub(1, LONGEST) or "a " .. type(field)
    shown[#shown + 1] = ("%s = %s"):format(tostring(key), text)
  end
  table.sort(shown)
  return #shown == 0 and "it is empty" or table.concat(shown, ", ")
end

-- Of these tostring would give no more than an address.
local function is_bare(value)
  if type(value) ~= "table" then
    return false
  end
  local meta = getmetatable(value)
  return meta == nil or type(meta) == "table" and not (rawget(meta, "__tostring") or rawget(meta, "__name"))
end

local function describe_bare(value)
  local message = rawget(value, "message")
  return type(message) == "string" and message
    or "a table without __tostring or message was raised: " .. show_fields(value)
end

---@param cause any
---@return string
function M.describe(cause)
  if type(cause) == "string" then
    return cause
  elseif cause == nil then
    return "an error without a value: error(nil)"
  end
  local ok, text = pcall(is_bare(cause) and describe_bare or tostring, cause)
  return ok and text or ("an error that is a " .. type(cause))
end

return M
