-- An app with one WebSocket route, /ws, whose session function is a closure of the spec's.

local crypto = require("sprylua.core").crypto
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

---An app whose sessions do with each text what `commands` has for its first word, called with the ws and the rest.
---What that returned is in the second value, by the same word, packed; `ws` is the session that was told last.
---@param commands table<string, fun(ws: table, rest: string): any>
---@param upgrade table? options of event.ws:upgrade
---@return sprylua.testing.App app
---@return table results
function M.commands(commands, upgrade)
  local results = {}
  local app = M.app(function(ws)
    for kind, data in ws.events do
      if kind == "text" then
        local command, rest = data:match "^(%S+) ?(.*)$"
        results.ws = ws
        results[command] = table.pack(commands[command](ws, rest))
      end
    end
  end, upgrade)
  return app, results
end

---A command that subscribes to a topic; what is said with it is the id to begin at.
---@param name string
---@return fun(ws: table, rest: string): table?, string?
function M.subscribe(name)
  return function(ws, from) return ws:subscribe(name, { from = from ~= "" and from or nil }) end
end

---A command that unsubscribes.
---@param name string
---@return fun(ws: table): boolean
function M.unsubscribe(name)
  return function(ws) return ws:unsubscribe(name) end
end

---The name of a topic that no other spec has: those with a history stay.
---@param prefix string?
---@return string
function M.topic(prefix)
  return (prefix or "topic ") .. crypto.base64url(crypto.random(9))
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
