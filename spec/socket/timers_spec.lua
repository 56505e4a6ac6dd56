-- Timers of the real clock: whoever starts one when another fires must leave the loop its turns.

local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local routes = {
  ["hello.get.lua"] = "return function() return 'hello' end",
  ["sleeping.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      spry.spawn(function() while true do spry.sleep(0) end end)
      return "started"
    end]],
  ["after.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      local function again() spry.after(0, again) end
      again()
      return "started"
    end]],
  ["busy.get.lua"] = [[
    local spry = require "sprylua"
    local function work(seconds)
      local till = os.clock() + seconds
      while os.clock() < till do end
    end
    return function()
      for _ = 1, 2 do
        spry.spawn(function() while true do work(0.002) spry.sleep(0.001) end end)
      end
      for _ = 1, 20 do spry.every(0.05, function() work(0.004) end) end
      return "started"
    end]],
}

describe("timers that start timers", function()
  for _, path in ipairs { "/sleeping", "/after", "/busy" } do
    it("leave requests and signals their turn: " .. path, function()
      local files = {}
      for name, text in pairs(routes) do files["routes/" .. name] = text end
      local running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
      finally(function() running:cleanup() end)
      for _, wanted in ipairs { path, "/hello", "/hello" } do
        local client = server.connect(running.port)
        client:send(http.request("GET", wanted, {}))
        assert.equal(wanted == "/hello" and "hello" or "started", client:answer().body)
        client:close()
      end
      server.stop(running)
    end)
  end
end)
