-- Everything below /admin asks for a token first: HTTP requests and WebSocket handshakes alike.
local spry = require "sprylua"

return function(event, next)
  if event.headers:get "authorization" ~= "Bearer secret-token" then
    error(spry.HTTPError(401, {
      body = { error = "Unauthorized" },
      headers = { ["www-authenticate"] = 'Bearer realm="admin"' },
    }))
  end
  return next()
end
