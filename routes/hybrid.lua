-- /hybrid, every method: a WebSocket, a page that opens it, and a refusal, in one handler.
local spry = require "sprylua"
local Response = spry.Response

local page = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Hybrid Endpoint</title>
<link rel="icon" href="data:,">
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }</style>
</head>
<body>
<h1>Hybrid HTTP/WebSocket Endpoint</h1>
<p>This page automatically connects via WebSocket: <output id="said">connecting…</output></p>
<script>
const scheme = location.protocol === "https:" ? "wss://" : "ws://";
const ws = new WebSocket(scheme + location.host + "/hybrid");
ws.onmessage = (event) => { document.getElementById("said").textContent = event.data; };
ws.onopen = () => ws.send("Hello from browser");
</script>
</body>
</html>
]]

return function(event)
  -- WebSocket upgrades first.
  if event.ws.isSupported and event.ws.isUpgradeRequest then
    return event.ws:upgrade(function(ws)
      ws:sendText "WebSocket connection established"
      ws.events:drain()
    end)
  end

  if event.method == "GET" or event.method == "HEAD" then
    return Response.html(page)
  end

  return Response.json({ error = "Method not allowed" }, { status = 405, headers = { allow = "GET, HEAD" } })
end
