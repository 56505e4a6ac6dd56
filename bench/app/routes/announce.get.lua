local news = require("sprylua").topic "news"

return function(event)
  return event.ws:upgrade(function(ws)
    for kind, data in ws.events do
      if kind ~= "close" then news:publish(data) end
    end
  end)
end
