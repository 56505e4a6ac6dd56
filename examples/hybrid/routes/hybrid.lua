-- /hybrid: HTTP and WebSocket at one address. The file's name has no method, so it takes them all.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  -- Handle WebSocket upgrades
  if event.ws.isSupported and event.ws.isUpgradeRequest then
    return event.ws:upgrade(function(ws)
      ws:sendText "WebSocket connection established"
      ws.events:drain()
    end)
  end

  -- Handle regular HTTP GET requests
  if event.method == "GET" then
    return Response.html [[
<!DOCTYPE html>
<html>
  <head>
    <title>Hybrid Endpoint</title>
    <script>
      // Simple WebSocket client for demonstration
      const ws = new WebSocket('ws://' + window.location.host + '/hybrid');
      ws.onmessage = (event) => console.log('Received:', event.data);
      ws.onopen = () => ws.send('Hello from browser');
    </script>
  </head>
  <body>
    <h1>Hybrid HTTP/WebSocket Endpoint</h1>
    <p>This page automatically connects via WebSocket. Check the console.</p>
  </body>
</html>
]]
  end

  -- Handle other HTTP methods
  return Response.json({ error = "Method not allowed" }, { status = 405, headers = { allow = "GET" } })
end
