-- The Vary header: which of the request's fields an answer depends on, for caches.

local M = {}

local function names(value, wanted)
  for name in value:gmatch "[^,%s]+" do
    if name == "*" or name:lower() == wanted then
      return true
    end
  end
  return false
end

---Adds `name` to what Vary says already, unless it is there.
---@param fields sprylua.Headers
---@param name string
function M.add(fields, name)
  local value = fields:get "vary"
  if not value or value == "" then
    fields:set("vary", name)
  elseif not names(value, name:lower()) then
    fields:set("vary", value .. ", " .. name)
  end
end

return M
