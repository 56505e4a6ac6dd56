-- What a 101 says of the handshake is the server's alone, whatever headers a route or a middleware adds.
local temp_routes = require "spec.support.temp_routes"

describe("the headers of a 101", function()
  it("can't be doubled by a route", function()
    local app <close> = temp_routes.app {
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function() end, {
          headers = {
            upgrade = "h2c", ["sec-websocket-accept"] = "x", ["Sec-WebSocket-Extensions"] = "y", ["x-mine"] = "z",
          },
        })
      end,
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
