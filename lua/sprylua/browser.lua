-- The handler of a route that serves the browser's side of spry.serveTopics: `return require "sprylua.browser"` in,
-- say, routes/sprylua.js.get.lua. Its address has no version in it, so a browser asks each time whether it has the
-- newest.

local Response = require("sprylua.response").Response
local source = require "sprylua.browser_module"
local tagged = require "sprylua.middleware.etag"()

local HEADERS = { ["content-type"] = "text/javascript; charset=utf-8", ["cache-control"] = "no-cache" }

local function answer()
  return Response(source, { headers = HEADERS })
end

---@param event table
---@return sprylua.Response
return function(event)
  return tagged(event, answer)
end
