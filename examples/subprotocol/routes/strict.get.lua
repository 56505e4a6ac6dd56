-- GET /strict: only for clients that speak "spry-chat-v1" or "spry-chat-v2"; others get a 400 that names both lists.
return function(event)
  return event.ws:upgrade(function(ws)
    ws:sendText("We speak " .. ws.protocol)
    ws.events:drain()
  end, { protocol = { "spry-chat-v2", "spry-chat-v1" }, requireProtocol = true })
end
