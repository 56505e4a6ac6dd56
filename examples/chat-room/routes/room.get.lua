-- GET /room: a chat room; what one client says, all of them hear.
local spry = require "sprylua"
local Response = spry.Response

-- In-memory store for connected clients
local connections = {}

local function broadcast(message)
  for _, connection in ipairs(connections) do
    connection:sendText(message) -- a failed send (a disconnected client) returns nil, "closed" and does not raise
  end
end

local function remove(ws)
  for i, connection in ipairs(connections) do
    if connection == ws then
      table.remove(connections, i)
      return
    end
  end
end

return function(event)
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json {
      name = "Spry Chat Room",
      connections = #connections,
      instructions = "Connect with a WebSocket client to join the chat",
    }
  end

  return event.ws:upgrade(function(ws)
    -- Add to connections list
    connections[#connections + 1] = ws
    print(("New connection (total: %d)"):format(#connections))

    -- Lua's `finally`: ensure cleanup on unexpected disconnects, and on errors below
    local _ <close> = spry.defer(function() remove(ws) end)

    -- Notify all clients about new connection
    broadcast(("User joined (%d online)"):format(#connections))

    -- Listen for messages
    for kind, data in ws.events do
      if kind == "text" then
        -- Broadcast to all connected clients
        broadcast("Message: " .. data)
      elseif kind == "close" then
        -- Remove from connections list
        remove(ws)
        broadcast(("User left (%d online)"):format(#connections))
      end
      -- Ignore binary data for this example
    end
  end)
end
