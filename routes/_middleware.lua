-- Round every request, handshakes of WebSockets included: each answer says which request it belongs to, and browsers
-- are told not to guess. next() always returns a response; an error raised below has become one by then.
local function requestId(event)
  local given = event.headers:get "x-request-id"
  -- A proxy's id is kept, so that one id is in everybody's log; anything odd is not repeated.
  if given and #given <= 64 and given:match "^[%w._-]+$" then return given end
  return event.id
end

return function(event, next)
  event.locals.requestId = requestId(event)
  local response = next()
  response.headers:set("x-request-id", event.locals.requestId)
  response.headers:set("x-content-type-options", "nosniff")
  response.headers:set("referrer-policy", "same-origin")
  return response
end
