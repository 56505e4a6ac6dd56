return function(event)
  local order = event.request:json()
  return { id = order.id, lines = #order.lines }
end
