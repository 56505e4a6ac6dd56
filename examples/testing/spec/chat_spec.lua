-- The whole app, in process: no socket, no port, and no time spent on waiting.
local testing = require "sprylua.testing"

describe("chat", function()
  local app = testing.app "routes"

  it("falls back to HTTP", function()
    local res = app:get "/chat"
    assert.equal(200, res.status)
    assert.equal("This endpoint supports WebSocket connections", res:json().message)
  end)

  it("echoes", function()
    local ws = app:ws("/chat", { protocols = { "chat" }, headers = {} })
    assert.equal("Connected to Spry WebSocket server!", ws:receive())
    ws:sendText "hi"
    assert.equal("Echo: hi", ws:receive())
    ws:sendBinary "\0\1\2"
    assert.equal("[Binary data received]", ws:receive())
    ws:close(1000)
    assert.equal(1000, ws.closeCode)
  end)
end)
