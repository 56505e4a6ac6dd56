-- Who asks, for those further in.
return function(event, next)
  event.locals.user = event.headers:get "authorization" or "nobody"
  return next()
end
