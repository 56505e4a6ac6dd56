-- GET /room: a chat room. What one says, all hear. The page at / talks to it; so can any other client.
local spry = require "sprylua"
local Response = spry.Response

-- Who is in the room. Every worker process has a room of its own; ws:subscribe and ws:publish span them all.
local connections = {}

local function broadcast(message)
  for _, ws in ipairs(connections) do
    ws:sendText(message) -- never blocks, and does not raise when that peer is dead
  end
end

local function remove(gone)
  for i, ws in ipairs(connections) do
    if ws == gone then return table.remove(connections, i) end
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
    connections[#connections + 1] = ws
    -- Whatever ends this session (a close, a lost peer, an error below), the list is put right.
    local _ <close> = spry.defer(function()
      remove(ws)
      broadcast(("User left (%d online)"):format(#connections))
    end)

    broadcast(("User joined (%d online)"):format(#connections))
    for kind, data in ws.events do
      if kind == "text" then broadcast("Message: " .. data) end
    end
  end)
end
