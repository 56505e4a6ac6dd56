return function(event)
  return ("post %d of user %d: %s"):format(event.params:int "post", event.params:int "id", event.query:get "fields")
end
