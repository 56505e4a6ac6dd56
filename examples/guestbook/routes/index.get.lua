-- GET /: the guestbook as a page.
local entries = require "entries"
local spry = require "sprylua"

return function()
  return spry.render("index", { entries = entries.all() })
end
