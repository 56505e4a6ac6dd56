-- One server-sent event as text (HTML Standard, section 9.2). Pure.

local M = {}

local FIELDS = { event = true, id = true, retry = true, data = true }

local function line(name, value)
  if value == nil then
    return ""
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error(("an event's %s is a string, not a %s"):format(name, type(value)), 4)
  elseif tostring(value):find("[\r\n\0]") then
    error(("an event's %s has no line breaks in it"):format(name), 4)
  end
  return name .. ": " .. value .. "\n"
end

local function data_lines(data)
  if type(data) ~= "string" and type(data) ~= "number" then
    error(("an event's data is a string, not a %s; spry.json.encode makes one of a table"):format(type(data)), 4)
  end
  -- The three line ends that a browser knows; each line is a field of its own and comes out joined by "\n".
  data = tostring(data):gsub("\r\n?", "\n")
  return "data: " .. data:gsub("\n", "\ndata: ") .. "\n"
end

---@param message string|number|{ event: string?, id: string?, retry: integer?, data: string? }
---@return string
function M.format(message)
  if type(message) ~= "table" then
    local text = data_lines(message) .. "\n"
    return text
  end
  for key in pairs(message) do
    if not FIELDS[key] then
      error(("an event has event, id, retry and data, not %s"):format(tostring(key)), 3)
    end
  end
  if message.retry ~= nil and (math.type(message.retry) ~= "integer" or message.retry < 0) then
    error("an event's retry is a whole number of milliseconds", 3)
  end
  return line("event", message.event) .. line("id", message.id) .. line("retry", message.retry)
    .. (message.data ~= nil and data_lines(message.data) or "") .. "\n"
end

return M
