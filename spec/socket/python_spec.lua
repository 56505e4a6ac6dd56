-- Python's websockets against a real server. Each `it` is a scenario of spec/python/ws.py; what it expects is written
-- there.

local clients = require "spec.support.clients"
local echo_routes = require "spec.support.echo_routes"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

describe("Python's websockets", function()
  local running

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  for _, case in ipairs {
    { "echoes texts and bytes", "echo" },
    { "sends a message in fragments", "fragments" },
    { "pings, by itself too, and is pinged", "ping" },
    { "agrees on a subprotocol, or on none", "subprotocol" },
    { "is refused with a status", "refused" },
    { "closes, and the session sees code and reason", "close_by_client" },
    { "is closed: by ws:close, by the session's end, by its error", "close_by_server" },
    { "vanishes: 1006", "lost" },
    { "meets another in the room", "room", "routes" },
    { "comes a hundred times at once", "many" },
    { "compresses, in every way that it can", "deflate" },
  } do
    local name, scenario, routes = table.unpack(case, 1, 3)
    it(name, function()
      routes = routes or temp_routes.project(echo_routes) .. "/routes"
      running = server.serve(routes, { arguments = { "--log", "none" } })
      clients.python("ws.py", scenario, running.url)
      server.stop(running)
    end)
  end
end)
