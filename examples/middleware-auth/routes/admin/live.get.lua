-- GET /admin/live: a WebSocket that only who has the token gets. Once it is open, its messages pass no middleware.
return function(event)
  return event.ws:upgrade(function(ws)
    ws:sendText "Hello, admin"
    ws.events:drain()
  end)
end
