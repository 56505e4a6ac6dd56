-- GET /chat: the echo that the specs in ../spec try out.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  -- Check if WebSocket is supported and this is an upgrade request
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json {
      message = "This endpoint supports WebSocket connections",
      hint = "Use a WebSocket client to connect to ws://localhost:4000/chat",
    }
  end

  -- Upgrade to WebSocket connection
  return event.ws:upgrade(function(ws)
    -- Send welcome message
    ws:sendText "Connected to Spry WebSocket server!"

    -- Listen for incoming messages
    for kind, data in ws.events do
      if kind == "text" then
        -- Echo the text back
        ws:sendText("Echo: " .. data)
      elseif kind == "binary" then
        ws:sendText "[Binary data received]"
      end
    end
    -- Connection closed: the loop has ended
  end)
end
