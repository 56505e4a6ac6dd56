-- /admin: who gets here has shown the token; see _middleware.lua beside this file.
return function(event)
  return { message = "Welcome, admin", method = event.method, path = event.pathname }
end
