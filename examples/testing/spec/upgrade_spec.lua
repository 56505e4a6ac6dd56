-- A unit test of one handler: a lone event, no app.
local testing = require "sprylua.testing"

describe("the chat route", function()
  local handler = dofile "routes/chat.get.lua"

  it("sees an upgrade request: WebSocket upgrade works", function()
    local event = testing.event {
      path = "/chat",
      ws = { isSupported = true, isUpgradeRequest = true, requestedProtocols = {} },
    }

    -- Verify upgrade detection
    assert.is_true(event.ws.isUpgradeRequest)
    assert.is_true(event.ws.isSupported)

    -- Verify what the handler answers
    local response = handler(event)
    assert.equal(101, response.status)
  end)

  it("answers plain HTTP without an upgrade", function()
    local response = handler(testing.event { path = "/chat" })
    assert.equal(200, response.status)
    assert.matches("supports WebSocket connections", response.body)
  end)

  it("does not try where WebSocket is not supported", function()
    local response = handler(testing.event { path = "/chat", ws = { isSupported = false, isUpgradeRequest = true } })
    assert.equal(200, response.status)
  end)
end)
