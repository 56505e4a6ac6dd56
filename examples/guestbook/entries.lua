-- What guests wrote, the latest first; kept while the server runs.
local M = {}

local MOST = 100
local entries = {}

function M.all()
  return entries
end

---@param name string
---@param message string
function M.add(name, message)
  table.insert(entries, 1, { name = name, message = message, time = os.time() })
  entries[MOST + 1] = nil
end

return M
