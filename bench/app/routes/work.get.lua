-- About a millisecond of Lua for each request, or for each message of a WebSocket.
local function work()
  local sum = 0
  for i = 1, 200000 do sum = sum + i % 7 end
  return tostring(sum)
end

return function(event)
  if not event.ws.isUpgradeRequest then return work() end
  return event.ws:upgrade(function(ws)
    for kind, data in ws.events do
      if kind ~= "close" then
        work()
        ws:sendBinary(data)
      end
    end
  end)
end
