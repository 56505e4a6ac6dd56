local testing = require "sprylua.testing"

describe("examples/echo", function()
  local app = testing.app "examples/echo/routes"

  it("gives plain HTTP clients a hint", function()
    local res = app:get "/chat"
    assert.equal(200, res.status)
    assert.matches("^application/json", res.headers:get "content-type")
    assert.same({
      message = "This endpoint supports WebSocket connections",
      hint = "Use a WebSocket client to connect to ws://localhost:4000/chat",
    }, res:json())
  end)

  it("welcomes, echoes text, and notes binary data", function()
    local ws = app:ws "/chat"
    assert.equal("Connected to Spry WebSocket server!", ws:receive())
    ws:sendText "Hello Spry!"
    assert.equal("Echo: Hello Spry!", ws:receive())
    ws:sendBinary "\1\2\3"
    assert.equal("[Binary data received]", ws:receive())
    ws:close(1000, "done")
    assert.equal(1000, ws.closeCode)
    assert.same({}, app.log)
  end)

  it("takes only GET", function()
    local res = app:post("/chat", { body = "x" })
    assert.equal(405, res.status)
    assert.matches("GET", res.headers:get "allow")
  end)

  it("falls back to HTTP where WebSocket is off", function()
    local off <close> = testing.app("examples/echo/routes", { websocket = false })
    local ws, res = off:ws "/chat"
    assert.is_nil(ws)
    assert.equal(200, res.status)
    assert.equal("This endpoint supports WebSocket connections", res:json().message)
  end)
end)
