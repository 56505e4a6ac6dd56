-- A room for specs of topics, on servers of whatever number: sessions that do as they are told, and routes that publish
-- and list who is present.

local json = require "sprylua.json"
local server = require "spec.support.server"

local M = {}

---The files of the project. /room is told "sub TOPIC", "from ID" (of the topic "kept"), "here NAME" or "pid".
M.files = {
  ["routes/room.lua"] = [[
    local spry = require "sprylua"
    spry.topic("kept", { history = 5 })
    return function(event)
      return event.ws:upgrade(function(ws)
        for kind, data in ws.events do
          if kind == "text" then
            local command, rest = data:match "^(%w+) ?(.*)$"
            local result
            if command == "sub" then result = ws:subscribe(rest)
            elseif command == "from" then result = ws:subscribe("kept", { from = rest })
            elseif command == "here" then ws:track("room", { name = rest })
            elseif command == "pid" then result = require "luv".os_getpid() end
            ws:sendJson { done = command, result = result }
          end
        end
      end)
    end]],
  ["routes/publish.post.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      local to, text = event.query:get "to", event.request:text()
      for _ = 1, tonumber(event.query:get "times" or 1) do spry.publish(to, text) end
      return "ok"
    end]],
  ["routes/present.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      local names = {}
      for i, member in ipairs(spry.presence "room") do names[i] = member.meta.name end
      if event.query:get "sorted" then table.sort(names) end
      return table.concat(names, ",")
    end]],
}

---All who have connected.
---@type spec.Client[]
M.clients = {}

---@param running spec.Program
---@return spec.Client
function M.connect(running)
  local client = server.session(running, "/room")
  M.clients[#M.clients + 1] = client
  return client
end

---The result of a command, and what comes until it is done.
---@param client spec.Client
---@param command string
---@return any result
---@return any[] messages
function M.ask(client, command)
  client:sendFrame { opcode = "text", payload = command }
  local list = {}
  while true do
    local payload = client:frame().payload
    local message = payload:sub(1, 1) == "{" and json.decode(payload) or payload
    if type(message) == "table" and message.done then return message.result, list end
    list[#list + 1] = message
  end
end

---Connects, and has these commands done.
---@param running spec.Program
---@param ... string
---@return spec.Client
function M.join(running, ...)
  local client = M.connect(running)
  for _, command in ipairs { ... } do M.ask(client, command) end
  return client
end

---@param running spec.Program
---@param topic string
---@param text string
function M.publish(running, topic, text)
  local answer = server.post(running, "/publish?to=" .. topic, text)
  if answer.body ~= "ok" then error("the room did not publish: " .. answer.body, 2) end
end

---Closes every session, for after_each.
function M.leave()
  for _, client in ipairs(M.clients) do client:close() end
  M.clients = {}
end

return M
