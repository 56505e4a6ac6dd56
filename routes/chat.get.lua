-- GET /chat: an echo over WebSocket, and a hint for everybody else.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  -- A plain HTTP client gets a helpful answer instead of a 426.
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json {
      message = "This endpoint supports WebSocket connections",
      hint = "Use a WebSocket client to connect to ws://" .. event.url.host .. "/chat",
    }
  end

  return event.ws:upgrade(function(ws) -- a coroutine: this session's own
    ws:sendText "Connected to Spry WebSocket server!"
    for kind, data in ws.events do -- "text"|"binary", payload · "close", code, reason
      if kind == "text" then
        ws:sendText("Echo: " .. data)
      elseif kind == "binary" then
        ws:sendText "[Binary data received]"
      end
    end -- ends after the close event, however the session died
  end)
end
