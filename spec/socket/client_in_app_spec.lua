-- The client in routes and sessions of an app that a spec serves in its own process, to a server that is real.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local websocket = require "sprylua.websocket"

local ECHO = [[
  return function(event)
    return event.ws:upgrade(function(ws)
      for kind, data in ws.events do
        if kind == "text" then ws:sendText(data) end
      end
    end)
  end]]

describe("a client in a spec's own app", function()
  local running, address

  before_each(function()
    running = server.serve(temp_routes.routes { ["echo.get.lua"] = ECHO }, { arguments = { "--log", "none" } })
    address = ("ws://127.0.0.1:%d/echo"):format(running.port)
  end)

  after_each(function()
    running:cleanup()
  end)

  it("answers a request with what it was told", function()
    local app <close> = temp_routes.app {
      ["relay.get.lua"] = function()
        local ws <close> = assert(websocket.connect(address))
        ws:sendJson { hello = "there" }
        return select(2, ws:receive(10))
      end,
    }
    assert.equal('{"hello":"there"}', app:get("/relay").body)
    server.stop(running)
  end)

  it("goes on beside a session", function()
    local app <close> = temp_routes.app {
      ["through.get.lua"] = function(event)
        return event.ws:upgrade(function(ws)
          local far <close> = assert(websocket.connect(address))
          for kind, data in ws.events do
            if kind == "text" then
              far:sendText(data)
              ws:sendText(select(2, far:receive(10)))
            end
          end
        end)
      end,
    }
    local ws = app:ws "/through"
    for _, text in ipairs { "one", "two" } do
      ws:sendText(text)
      assert.equal(text, ws:receive(5))
    end
    ws:close()
    server.stop(running)
  end)
end)
