-- Topics, their histories and who is present, over several workers.

local json = require "sprylua.json"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

local ROOM = [[
  local spry = require "sprylua"
  spry.topic("kept", { history = 100 })
  return function(event)
    return event.ws:upgrade(function(ws)
      ws:sendJson { pid = require "luv".os_getpid() }
      for kind, data in ws.events do
        if kind == "text" then
          local command, rest = data:match "^(%w+) ?(.*)$"
          if command == "sub" then ws:subscribe("news")
          elseif command == "kept" then ws:subscribe("kept", { from = rest ~= "" and rest or nil })
          elseif command == "here" then ws:subscribe("room") ws:track("room", { name = rest }) end
          ws:sendJson { done = command }
        end
      end
    end)
  end]]

local PUBLISH = [[
  local spry = require "sprylua"
  return function(event)
    local to, text = event.query:get "to", event.request:text()
    for _ = 1, tonumber(event.query:get "times" or 1) do spry.publish(to, text) end
    return "ok"
  end]]

local PRESENT = [[
  local spry = require "sprylua"
  return function()
    local names = {}
    for i, member in ipairs(spry.presence "room") do names[i] = member.meta.name end
    table.sort(names)
    return table.concat(names, ",")
  end]]

local running, clients

before_each(function()
  clients = {}
  running = server.serve(temp_routes.project {
    ["routes/room.lua"] = ROOM, ["routes/publish.post.lua"] = PUBLISH, ["routes/present.lua"] = PRESENT,
  } .. "/routes", { arguments = { "-w", "4" } })
end)

after_each(function()
  for _, client in ipairs(clients) do client:close() end
  running:cleanup()
end)

local function join(...)
  local client = server.connect(running.port)
  clients[#clients + 1] = client
  client:send(testing.handshake "/room")
  assert.equal(101, client:answer().status)
  client.pid = json.decode(client:frame().payload).pid
  for _, command in ipairs { ... } do
    client:sendFrame { opcode = "text", payload = command }
    client.commands = (client.commands or 0) + 1
  end
  return client
end

-- The messages that come until every command is done.
local function settle(client)
  local list = {}
  while client.commands > 0 do
    local payload = client:frame().payload
    local message = payload:sub(1, 1) == "{" and json.decode(payload) or payload
    if type(message) == "table" and message.done then
      client.commands = client.commands - 1
    else
      list[#list + 1] = message
    end
  end
  return list
end

local function publish(to, text)
  local client = server.connect(running.port)
  client:send(("POST /publish?to=%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(
    to, #text, text))
  assert.equal("ok", client:answer().body)
  client:close()
end

-- Clients enough for every worker to have some.
local function crowd(count, ...)
  local pids, n = {}, 0
  for _ = 1, count do
    local client = join(...)
    settle(client)
    if not pids[client.pid] then pids[client.pid], n = true, n + 1 end
  end
  return n
end

describe("a topic of several workers", function()
  it("reaches every subscriber once", function()
    assert.is_true(crowd(40, "sub") > 1)
    publish("news", "one")
    publish("news", "two") -- perhaps in another worker: then either may be the first
    for _, client in ipairs(clients) do
      local got = { client:frame().payload, client:frame().payload }
      table.sort(got)
      assert.same({ "one", "two" }, got)
    end
    server.sleep(0.1)
    for _, client in ipairs(clients) do assert.equal("", client.received) end
  end)

  it("numbers its messages for all of them, in one order", function()
    assert.is_true(crowd(20, "kept") > 1)
    for i = 1, 10 do publish("kept", "m" .. i) end
    local all
    for _, client in ipairs(clients) do
      local list = {}
      for i = 1, 10 do
        local message = json.decode(client:frame().payload)
        list[i] = message.id .. " " .. message.data
      end
      all = all or list
      assert.same(all, list)
    end
    assert.matches(":10 m10$", all[10])
  end)

  it("tells a new worker what it has missed", function()
    local watcher = join "kept"
    settle(watcher)
    for i = 1, 5 do publish("kept", "m" .. i) end
    local ids = {}
    for i = 1, 5 do ids[i] = json.decode(watcher:frame().payload).id end
    local victims = {}
    repeat
      local client = join()
      if client.pid ~= watcher.pid then victims[client.pid] = true end
    until next(victims)
    local victim = next(victims)
    uv.kill(victim, "sigkill")
    local known = {}
    -- Whoever answers, old or new, has the whole history.
    for _ = 1, 40 do
      local client = join("kept " .. ids[2])
      local list = settle(client)
      known[client.pid] = true
      assert.same({ "m3", "m4", "m5" }, { list[1].data, list[2].data, list[3].data })
      assert.equal(ids[3], list[1].id)
    end
    assert.is_nil(known[victim])
  end)
end)

describe("a handler that publishes more than fits into a pipe", function()
  it("waits until it is taken, and loses nothing", function()
    assert.is_true(crowd(8, "sub") > 1)
    local text = ("x"):rep(1000)
    local client = server.connect(running.port)
    client:send(("POST /publish?to=other&times=100000 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(
      #text, text))
    assert.equal("ok", client:answer("POST", 60).body)
    publish("news", "after")
    for _, subscriber in ipairs(clients) do assert.equal("after", subscriber:frame(60).payload) end
    assert.is_nil(running:err():find "error")
  end)
end)

describe("a worker that is stuck", function()
  it("is killed before what waits for it fills the memory", function()
    local client = join "sub"
    settle(client)
    uv.kill(client.pid, "sigstop")
    local piece = ("x"):rep(1000000)
    for _ = 1, 200 do
      if running:err():find "hears nothing any more" then break end
      local publisher = server.connect(running.port)
      publisher:send(("POST /publish?to=news HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s")
        :format(#piece, piece))
      -- The kernel may give this one to the worker that is stopped.
      pcall(publisher.readUntil, publisher, "ok", true, 0.2)
      publisher:close(true)
    end
    running:wait(function()
      return running:err():find(("worker %%d %%(process %d%%) hears nothing any more"):format(client.pid))
    end, "its end")
    running:wait(function() return running:err():find "was killed by signal 9" end, "its replacement")
  end)
end)

describe("presence over several workers", function()
  -- Asks until the one who answers, whichever worker that is, knows these; all of them do in the end.
  local function await(names, times)
    local right = 0
    running:wait(function()
      right = running:get "/present" == names and right + 1 or 0
      return right >= times
    end, "these in the room: " .. names)
  end

  it("is known to all of them", function()
    for i = 1, 8 do join("here " .. i) end
    await("1,2,3,4,5,6,7,8", 12)
    clients[3]:close()
    await("1,2,4,5,6,7,8", 12)
  end)

  it("ends with the worker that dies", function()
    local by_worker = {}
    for i = 1, 8 do
      local client = join("here " .. i)
      by_worker[client.pid] = by_worker[client.pid] or {}
      table.insert(by_worker[client.pid], client)
    end
    await("1,2,3,4,5,6,7,8", 8)
    local victim, dead = next(by_worker)
    uv.kill(victim, "sigkill")
    local gone = {}
    for _, client in ipairs(dead) do gone[client] = true end
    local left = {}
    for i, client in ipairs(clients) do
      if not gone[client] then left[#left + 1] = tostring(i) end
    end
    await(table.concat(left, ","), 8)
  end)
end)
