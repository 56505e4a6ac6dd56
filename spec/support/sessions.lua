-- An app with one WebSocket route, /ws, whose session function is a closure of the spec's.

local temp_routes = require "spec.support.temp_routes"

local M = {}

---@param session fun(ws: table)
---@param upgrade table? options of event.ws:upgrade
---@param opts sprylua.testing.AppOptions?
---@return sprylua.testing.App
function M.app(session, upgrade, opts)
  return temp_routes.app({
    ["ws.get.lua"] = function(event) return event.ws:upgrade(session, upgrade) end,
  }, opts)
end

---A session function that echoes both kinds and puts every event into `seen`.
---@param seen table?
---@return fun(ws: table)
function M.echo(seen)
  return function(ws)
    for kind, data, reason in ws.events do
      if seen then seen[#seen + 1] = { kind, data, reason } end
      if kind == "text" then
        ws:sendText(data)
      elseif kind == "binary" then
        ws:sendBinary(data)
      end
    end
  end
end

return M
