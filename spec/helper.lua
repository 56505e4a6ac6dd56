-- Run by busted before any spec (see .busted): where the modules are, and the house rule that no spec leaves anything
-- behind in the native side.

local root = debug.getinfo(1, "S").source:match "^@(.*)/spec/helper%.lua$" or "."
package.path = table.concat({
  root .. "/lua/?.lua", root .. "/lua/?/init.lua", root .. "/?.lua", package.path,
}, ";")
-- SPRYLUA_BUILD names another build folder, one with sanitizers for instance.
package.cpath = (os.getenv "SPRYLUA_BUILD" or root .. "/build") .. "/?.so;" .. package.cpath

local busted = require "busted"

-- Required here, outside of any file's insulation, so that all spec files share one copy of each.
local core = require "sprylua.core"
local testing = require "sprylua.testing"
require "sprylua"
require "sprylua.app"
local uv = require "luv"
local temp_routes = require "spec.support.temp_routes"

local running = "?" -- the spec's name
local reported = {} -- what earlier specs left behind: each leak is told once, where it happened

busted.subscribe({ "test", "start" }, function(element)
  running = element.name
  return nil, true
end)

busted.after_each(function()
  testing.reset()
  collectgarbage()
  collectgarbage()
  local left = {}
  for name, count in pairs(core.stats()) do
    if type(count) == "number" and name ~= "apps" then
      if count > (reported[name] or 0) then left[#left + 1] = name .. " = " .. count - (reported[name] or 0) end
      reported[name] = count
    end
  end
  table.sort(left)
  if #left > 0 then
    error(("%q left something behind in the core: %s"):format(running, table.concat(left, ", ")), 0)
  end
end)

busted.subscribe({ "suite", "end" }, function()
  temp_routes.clean()
  -- luv crashes when the Lua state is closed under handles that are open. In `sprylua test` the program sees to that
  -- itself, and does not let others.
  pcall(function()
    uv.walk(function(handle)
      if not handle:is_closing() then handle:close() end
    end)
    uv.run()
  end)
  return nil, true
end)
