-- Wraps every route of this folder and below. WebSocket handshakes pass through it like any other request.
local spry = require "sprylua"
local Response = spry.Response

return function(event, next)
  -- Log all requests (including WebSocket upgrade attempts)
  print(("%s %s %s"):format(os.date "!%FT%TZ", event.method, event.path))

  -- Check authentication for specific routes. The pathname is canonical: //admin and /x/../admin are /admin here.
  if event.pathname == "/admin" or event.pathname:find("/admin/", 1, true) == 1 then
    local auth = event.request.headers:get "authorization"
    if auth ~= "Bearer secret-token" then
      return Response.json({ error = "Unauthorized" }, {
        status = 401,
        headers = { ["www-authenticate"] = "Bearer" },
      })
    end
  end

  return next()
end
