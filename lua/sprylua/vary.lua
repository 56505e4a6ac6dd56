-- The header Vary: which fields of a request a response depends on, so that caches keep one for each. Pure.

local M = {}

---Adds a field's name unless it is there already, in whatever case. "*" stands for all of them.
---@param fields sprylua.Headers of the response
---@param name string
function M.add(fields, name)
  local there = fields:get("vary")
  local wanted = name:lower()
  for member in (there or ""):gmatch("[^,%s]+") do
    if member == "*" or member:lower() == wanted then
      return
    end
  end
  fields:set("vary", there and there:find("%S") and there .. ", " .. name or name)
end

return M
