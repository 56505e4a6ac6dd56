-- What a server in development says in place of a project that does not load: a page for browsers, which asks again
-- until it is mended; JSON or plain text for others.

local accept = require "sprylua.accept"
local html = require "sprylua.html"
local response = require "sprylua.response"

local M = {}

local PAGE = [[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="1">
<title>TITLE</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 3em auto; max-width: 60em; padding: 0 1em }
pre { font: 14px/1.5 ui-monospace, monospace; padding: 1em; border: 1px solid #8888; white-space: pre-wrap }
mark { background: #f553; color: inherit }
</style>
</head>
<body>
<h1>TITLE</h1>
<pre>TEXT</pre>
<p>This page is loaded again each second, until that is mended.</p>
</body>
</html>
]]

-- The line of the source that the text is about.
local function marked(text)
  return (("\n" .. text):gsub("\n(&gt; +%d+ |[^\n]*)", "\n<mark>%1</mark>"):sub(2))
end

local function page(title, text)
  local values = { TITLE = html.escape(title), TEXT = marked(html.escape(text)) }
  return response.Response.html((PAGE:gsub("%f[%u]%u+%f[%U]", values)))
end

local function fitting(wanted, title, text)
  local for_people, for_programs = wanted["text/html"] or 0, wanted["application/json"] or 0
  if for_people > 0 and for_people >= for_programs then
    return page(title, text)
  elseif for_programs > 0 then
    return response.Response.json { error = title, message = text }
  end
  return response.Response.text(title .. "\n\n" .. text)
end

---@param event table
---@param title string
---@param text string
---@return sprylua.Response
function M.answer(event, title, text)
  local answer = fitting(accept.parse(event.headers:get "accept" or ""), title, text)
  answer.status = 500
  answer.headers:set("cache-control", "no-store")
  answer.headers:set("vary", "Accept")
  return answer
end

return M
