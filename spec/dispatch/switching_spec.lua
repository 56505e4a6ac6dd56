-- What a 101 says of the handshake is the server's alone, whatever headers a middleware adds; a route's are refused.
local temp_routes = require "spec.support.temp_routes"

describe("the headers of a 101", function()
  it("can't be doubled by a middleware", function()
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(_, next)
        local response = next()
        response.headers:set("upgrade", "h2c")
        response.headers:set("sec-websocket-accept", "x")
        response.headers:set("Sec-WebSocket-Extensions", "y")
        response.headers:set("x-mine", "z")
        return response
      end,
      ["ws.lua"] = function(event) return event.ws:upgrade(function() end) end,
    }
    local connection = app:connect()
    connection:send(require("sprylua.testing").handshake "/ws")
    local head = connection.parser:head()
    assert.same({ "websocket" }, head.headers:getAll "upgrade")
    assert.equal(1, #head.headers:getAll "sec-websocket-accept")
    assert.is_nil(head.headers:get "sec-websocket-extensions")
    assert.equal("z", head.headers:get "x-mine")
    connection:hangup()
  end)
end)
