-- Run by busted before any spec (see .busted): where the modules are, and the house rule that no spec leaves anything
-- behind in the native side.

local root = debug.getinfo(1, "S").source:match "^@(.*)/spec/helper%.lua$" or "."
package.path = table.concat({
  root .. "/lua/?.lua", root .. "/lua/?/init.lua", root .. "/?.lua", package.path,
}, ";")
package.cpath = root .. "/build/?.so;" .. package.cpath

local busted = require "busted"

-- Required here, outside of any file's insulation, so that all spec files share one copy of each.
local core = require "sprylua.core"
local testing = require "sprylua.testing"
require "sprylua"
require "sprylua.app"
require "luv"
local temp_routes = require "spec.support.temp_routes"

busted.after_each(function()
  testing.reset()
  collectgarbage()
  collectgarbage()
  local left = {}
  for name, value in pairs(core.stats()) do
    if type(value) == "number" and value ~= 0 and name ~= "apps" then left[#left + 1] = name .. " = " .. value end
  end
  table.sort(left)
  if #left > 0 then error("the spec left something behind in the core: " .. table.concat(left, ", "), 0) end
end)

busted.subscribe({ "suite", "end" }, function()
  temp_routes.clean()
  return nil, true
end)
