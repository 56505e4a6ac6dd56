-- GET /notifications: the server speaks every ten seconds, without being asked.
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
    ws:sendText "Connected to notification service"
    -- <close> is Lua's try/finally: the timer ends with this function, however it ends.
    local timer <close> = spry.every(10, function()
      ws:sendText("Server update at " .. os.date "!%FT%TZ")
    end)
    ws.events:drain() -- until the client disconnects
  end)
end
