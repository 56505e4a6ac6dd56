-- Which of Lua's collectors works in a server: the one of the config, or the one that the heap asks for.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

describe("the collector", function()
  local running

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  local function serve(config)
    running = server.serve(temp_routes.project {
      ["sprylua.config.lua"] = "return " .. config,
      ["routes/grow.lua"] = [[
        return function()
          kept = kept or {} -- luacheck: ignore
          for i = 1, 200 do kept[i] = ("x"):rep(100000 + i) end
          return "grown"
        end]],
      ["routes/shrink.lua"] = [[
        return function()
          kept = nil -- luacheck: ignore
          collectgarbage()
          return "shrunk"
        end]],
      -- Old, so that it takes more than what is done for every few objects.
      ["routes/litter.lua"] = [[
        return function()
          local litter = setmetatable({}, { __gc = function() io.stderr:write "collected\n" end })
          collectgarbage()
          collectgarbage()
          litter = nil
          return "littered"
        end]],
      -- Asking is setting: what it was is set again.
      ["routes/mode.lua"] = [[
        return function()
          local mode = collectgarbage "incremental"
          collectgarbage(mode)
          return mode
        end]],
    } .. "/routes", { arguments = { "--log", "none" } })
  end

  local function get(path) return server.get(running, path).body end

  it("is the generational one for a small heap, and the incremental one for a large one", function()
    serve "{}"
    assert.equal("generational", get "/mode")
    assert.equal("grown", get "/grow")
    assert.equal("incremental", get "/mode")
    assert.equal("incremental", get "/mode")
    assert.equal("shrunk", get "/shrink")
    assert.equal("generational", get "/mode")
    server.stop(running)
  end)

  for _, name in ipairs { "generational", "incremental" } do
    it("tidies up when nobody says anything, " .. name, function()
      serve(("{ collector = %q }"):format(name))
      assert.equal("littered", get "/litter")
      running:says "collected"
      server.stop(running)
    end)

    it("is " .. name .. " where the config says so, whatever the heap", function()
      serve(("{ collector = %q }"):format(name))
      assert.equal(name, get "/mode")
      assert.equal("grown", get "/grow")
      assert.equal(name, get "/mode")
      server.stop(running)
    end)
  end
end)
