-- POST /: what the page's form sends. The answer is a redirect, so that reloading the page sends nothing twice.
local entries = require "entries"
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  local form = event.request:form()
  local name, message = form:get "name" or "", form:get "message" or ""
  if not message:find "%S" then
    return spry.render("index", {
      entries = entries.all(), name = name, problem = "Please write a message.",
    }, { status = 422 })
  end
  entries.add(name:find "%S" and name or "Anonymous", message)
  return Response.redirect("/", 303)
end
