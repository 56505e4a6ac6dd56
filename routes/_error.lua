-- Errors of every route here: a page for people, and for everybody else what the error itself says (nothing returned
-- means: not my business). The text of a 500 is in the log, with the request's id, and not on the page.
local spry = require "sprylua"
local Response = spry.Response

local page = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>$status</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 18vh auto; padding: 0 1rem }
h1 { font-size: 4rem; margin: 0; letter-spacing: -.03em; opacity: .35 }
small { opacity: .6 }
</style>
</head>
<body>
<h1>$status</h1>
<p>$message</p>
<p><a href="/">To the start</a></p>
<small>request $id</small>
</body>
</html>
]]

local function escape(text)
  return (text:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }))
end

return function(err, event)
  local accept = event.headers:get "accept" or ""
  if not accept:find("text/html", 1, true) then return nil end
  local message = err.status < 500 and err.message or "Something went wrong here. It has been written down."
  local values = { status = tostring(err.status), message = escape(message), id = event.locals.requestId or event.id }
  return Response.html((page:gsub("%$(%l+)", values)), { status = err.status })
end
