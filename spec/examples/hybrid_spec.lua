local testing = require "sprylua.testing"

for _, folder in ipairs { "examples/hybrid/routes", "routes" } do
  describe("the hybrid endpoint in " .. folder, function()
    local app = testing.app(folder)

    it("is a page for GET", function()
      local res = app:get "/hybrid"
      assert.equal(200, res.status)
      assert.matches("^text/html", res.headers:get "content-type")
      assert.matches("Hybrid HTTP/WebSocket Endpoint", res.body)
      assert.matches("/hybrid", res.body, 1, true)
    end)

    it("is a WebSocket for those who ask", function()
      local ws = app:ws "/hybrid"
      assert.equal("WebSocket connection established", ws:receive())
      ws:sendText "Hello from browser"
      assert.same({ nil, "timeout" }, { ws:receive(1) })
      ws:close()
      assert.equal(1000, ws.closeCode)
    end)

    it("is a 405 with a body for the other methods", function()
      for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
        local res = app:request(method, "/hybrid")
        assert.equal(405, res.status)
        assert.same({ error = "Method not allowed" }, res:json())
        assert.matches("GET", res.headers:get "allow")
      end
    end)
  end)
end
