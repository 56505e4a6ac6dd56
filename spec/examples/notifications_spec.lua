local testing = require "sprylua.testing"

for _, folder in ipairs { "examples/notifications/routes", "routes" } do
  describe("the notifications in " .. folder, function()
    local app = testing.app(folder)

    it("tell plain HTTP clients what to do", function()
      assert.same({
        service = "Notification Feed",
        mode = "HTTP",
        connect = "Use WebSocket for real-time notifications",
      }, app:get("/notifications"):json())
    end)

    it("come every ten seconds, which take no time here", function()
      local ws = app:ws "/notifications"
      assert.equal("Connected to notification service", ws:receive())
      assert.same({ nil, "timeout" }, { ws:receive(9.5) })
      app.clock:advance(0.5)
      assert.matches("^Server update at %d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", ws:receive())
      app.clock:advance(30)
      for _ = 1, 3 do assert.matches("^Server update at ", ws:receive()) end
    end)

    it("leave no timer behind", function()
      local ws = app:ws "/notifications"
      ws:receive()
      ws:sendText "is ignored"
      ws:hangup()
      app.clock:advance(100)
      assert.equal(0, app.core:stats().tasks)
      assert.same({}, app.log)
    end)
  end)
end
