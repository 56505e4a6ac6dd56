-- Runs a hook of hooks.lua. It may wait, so this needs a coroutine.

local causes = require "sprylua.cause"

local M = {}

local function traced(cause)
  return debug.traceback(causes.describe(cause), 2)
end

---Runs the hook of that name, if there is one.
---@param loaded sprylua.Loaded
---@param name string
---@return string? problem what it raised, with the traceback
function M.run(loaded, name)
  local hook = (loaded.hooks or {})[name]
  if not hook then
    return nil
  end
  local ok, problem = xpcall(hook, traced, loaded.config)
  return not ok and ("%s raised: %s"):format(name, problem) or nil
end

return M
