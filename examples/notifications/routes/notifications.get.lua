-- GET /notifications: server-initiated messages, one every ten seconds.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json {
      service = "Notification Feed",
      mode = "HTTP",
      connect = "Use WebSocket for real-time notifications",
    }
  end

  return event.ws:upgrade(function(ws)
    -- Send a welcome notification
    ws:sendText "Connected to notification service"

    -- Simulate periodic notifications; <close> cancels the timer however this function ends
    local timer <close> = spry.every(10, function()
      ws:sendText("Server update at " .. os.date("!%FT%TZ"))
    end)

    -- Keep connection alive until client disconnects
    ws.events:drain()
  end)
end
