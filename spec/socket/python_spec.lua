-- Python's websockets against a real server. Each `it` is a scenario of spec/python/ws.py; what it expects is written
-- there.

local clients = require "spec.support.clients"
local compressed_routes = require "spec.support.compressed_routes"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local files = {
  ["seen.lua"] = "return { closes = {}, open = 0 }",
  ["routes/seen.get.lua"] = [[
    local array = require "sprylua.json".array
    local seen = require "seen"
    return function()
      array(seen.closes)
      return seen
    end]],
  ["routes/echo.get.lua"] = [[
    local seen = require "seen"
    local spry = require "sprylua"

    return function(event)
      return event.ws:upgrade(function(ws)
        seen.open = seen.open + 1
        local _ <close> = spry.defer(function() seen.open = seen.open - 1 end)
        for kind, data, reason in ws.events do
          local code, why
          if kind == "text" then code, why = data:match "^close (%d+) (.*)$" end
          if kind == "close" then
            seen.closes[#seen.closes + 1] = { code = data, reason = reason }
          elseif kind == "binary" then
            ws:sendBinary(data)
          elseif code then
            ws:close(math.tointeger(code), why)
          elseif data == "return" then
            return
          elseif data == "raise" then
            error "on purpose"
          elseif data == "ping me" then
            ws:ping "are you there?"
          else
            ws:sendText(data)
          end
        end
      end)
    end]],
  ["routes/proto.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        ws:sendText(ws.protocol or "none")
        ws.events:drain()
      end, { protocol = { "chat.v2", "chat.v1" } })
    end]],
}

for name, text in pairs(compressed_routes) do files[name] = text end

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
      running = server.serve(routes or temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
      clients.python("ws.py", scenario, running.url)
      server.stop(running)
    end)
  end
end)
