-- GET /chat: the echo with a subprotocol. A client that asks for "spry-chat-v1" gets it; one that asks for none gets a
-- session without a subprotocol. Neither is an error.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json {
      message = "This endpoint supports WebSocket connections",
      hint = "Use a WebSocket client to connect to ws://localhost:4000/chat",
      supported = event.ws.isSupported,
      upgradeRequest = event.ws.isUpgradeRequest,
    }
  end

  return event.ws:upgrade(function(ws)
    ws:sendText "Connected to Spry WebSocket server! Send a message and I will echo it back."
    for kind, data in ws.events do
      if kind == "text" then
        ws:sendText("Echo: " .. data)
      elseif kind == "binary" then
        ws:sendText "[Binary data received, not echoed]"
      end
    end
  end, { protocol = "spry-chat-v1" })
end
