local spry = require "sprylua"

return function(event, next)
  if event.params:int "id" == 0 then error(spry.HTTPError(403)) end
  return next()
end
