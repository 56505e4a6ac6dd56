return function(event)
  return event.ws:upgrade(function(ws)
    for kind, data in ws.events do
      if kind == "text" then ws:sendText(data) elseif kind == "binary" then ws:sendBinary(data) end
    end
  end)
end
