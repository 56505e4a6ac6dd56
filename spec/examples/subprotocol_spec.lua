local testing = require "sprylua.testing"

local WELCOME = "Connected to Spry WebSocket server! Send a message and I will echo it back."

describe("examples/subprotocol", function()
  local app = testing.app "examples/subprotocol/routes"

  it("gives a client that asks for none a session without one: the trap of the tutorial", function()
    local ws = app:ws "/chat"
    assert.is_nil(ws.protocol)
    assert.equal(WELCOME, ws:receive())
    ws:sendText "Hello Spry!"
    assert.equal("Echo: Hello Spry!", ws:receive())
    ws:sendBinary "x"
    assert.equal("[Binary data received, not echoed]", ws:receive())
  end)

  it("gives a client that asks for another one a session without one", function()
    local ws = app:ws("/chat", { protocols = { "mqtt", "other" } })
    assert.is_nil(ws.protocol)
    assert.equal(WELCOME, ws:receive())
  end)

  it("gives the one that was asked for", function()
    local ws = app:ws("/chat", { protocols = { "mqtt", "spry-chat-v1" } })
    assert.equal("spry-chat-v1", ws.protocol)
    assert.equal(WELCOME, ws:receive())
  end)

  it("says what it saw to plain HTTP clients", function()
    local body = app:get("/chat"):json()
    assert.is_true(body.supported)
    assert.is_false(body.upgradeRequest)
  end)

  it("is a 400 with both lists where a subprotocol is required", function()
    local ws, res = app:ws("/strict", { protocols = { "mqtt" } })
    assert.is_nil(ws)
    assert.equal(400, res.status)
    for _, name in ipairs { "spry-chat-v1", "spry-chat-v2", "mqtt" } do
      assert.matches(name, res.body, 1, true)
    end
    assert.equal(400, select(2, app:ws "/strict").status)
    ws = app:ws("/strict", { protocols = { "spry-chat-v1", "spry-chat-v2" } })
    assert.equal("We speak spry-chat-v2", ws:receive())
  end)
end)
