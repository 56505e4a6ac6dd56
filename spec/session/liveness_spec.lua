-- pingInterval and deadAfter, also where they are given in an order that would cut off healthy peers.
local sessions = require "spec.support.sessions"

describe("deadAfter below pingInterval", function()
  it("asks in time, so that a peer which answers stays", function()
    local app <close> = sessions.app(sessions.echo(), { pingInterval = 25, deadAfter = 10 })
    local ws = app:ws "/ws"
    for _ = 1, 12 do app.clock:advance(5) end
    ws:sendText "still here"
    assert.equal("still here", ws:receive())
  end)

  it("still ends with a peer that does not answer", function()
    local app <close> = sessions.app(sessions.echo(), { pingInterval = 25, deadAfter = 10 })
    local ws = app:ws("/ws", { pong = false })
    for _ = 1, 3 do app.clock:advance(5) end
    assert.is_true(ws.connection:closed())
  end)
end)
