local spry = require "sprylua"

return function()
  return spry.Response.events(function(send)
    for i = 1, 10 do send { id = i, data = "tick " .. i } end
  end)
end
