-- What workers tell each other arrives, whatever the limits of the app that runs in them.

local frames = require "sprylua.testing.frames"
local json = require "sprylua.json"
local room = require "spec.support.room"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local ask, join = room.ask, room.join

local running

after_each(function()
  room.leave()
  running:cleanup()
end)

local function serve(limits)
  local config = ("return { limits = { %s }, ws = { maxBuffered = 1 << 28 } }"):format(limits)
  local files = { ["sprylua.config.lua"] = config }
  for name, text in pairs(room.files) do files[name] = text end
  files["routes/fill.post.lua"] = [[
    local kept = {}
    return function()
      while collectgarbage "count" < 7000 do kept[#kept + 1] = ("x"):rep(10000) .. #kept end
      return tostring(require "luv".os_getpid())
    end]]
  running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "-w", "2", "--log", "none" } })
end

-- Each worker's client that hears the topic.
local function subscribers(topic)
  local by_pid, count = {}, 0
  while count < 2 do
    local client = join(running, "sub " .. topic)
    local pid = ask(client, "pid")
    if not by_pid[pid] then by_pid[pid], count = client, count + 1 end
  end
  return by_pid
end

-- The payloads that come: too many to take each out of what has come.
local function payloads(client)
  local from = 1
  return function()
    return server.wait(function()
      local frame, after = frames.decode(client.received, from)
      from = after or from
      return frame and frame.payload
    end, "message", 30)
  end
end

describe("what a worker publishes", function()
  it("arrives where there is hardly any memory left for the app", function()
    serve "memory = 8 << 20"
    local filled, count = {}, 0
    running:wait(function()
      local pid = server.post(running, "/fill", "").body
      if not filled[pid] then filled[pid], count = true, count + 1 end
      return count == 2
    end, "two workers that are full")
    local by_pid, text = subscribers "news", ("y"):rep(50000)
    for i = 1, 60 do assert.equal("ok", server.post(running, "/publish?to=news", i .. " " .. text).body) end
    for _, client in pairs(by_pid) do
      local numbers = {}
      for _ = 1, 60 do numbers[tonumber(client:frame().payload:match "^%d+")] = true end
      assert.equal(60, #numbers)
    end
    assert.is_nil(running:err():find "memory")
  end)

  it("arrives as a whole where Lua has hardly any time", function()
    serve "cpuTime = 0.1"
    local by_pid, posts = subscribers "kept", {}
    for i = 1, 8 do
      posts[i] = server.connect(running.port)
      posts[i]:send "POST /publish?to=kept&times=5000 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\ntext"
    end
    for _, client in ipairs(posts) do -- those that took too long have a 500, and have published some
      assert.matches("^[25]00$", tostring(client:answer("POST", 30).status))
      client:close()
    end
    room.publish(running, "kept", "end")
    for _, client in pairs(by_pid) do
      local offset = 0
      for payload in payloads(client) do
        local message = json.decode(payload)
        offset = offset + 1
        assert.equal(offset, tonumber(message.id:match "%d+$"))
        if message.data == "end" then break end
      end
    end
  end)
end)
