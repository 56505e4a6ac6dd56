local spry = require "sprylua"

return function(event)
  return event.ws:upgrade(function(ws)
    for kind, data in ws.events do
      if kind ~= "close" then spry.publish("bench", data, { binary = kind == "binary" }) end
    end
  end)
end
