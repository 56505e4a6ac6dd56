return function(event, next)
  local response = next()
  response.headers:set("x-request-id", event.id)
  return response
end
