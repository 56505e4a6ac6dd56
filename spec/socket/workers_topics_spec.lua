-- Topics, their histories and who is present, over several workers.

local json = require "sprylua.json"
local room = require "spec.support.room"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local ask, join, publish = room.ask, room.join, room.publish

local running

before_each(function()
  running = server.serve(temp_routes.project(room.files) .. "/routes", { arguments = { "-w", "4" } })
end)

after_each(function()
  room.leave()
  running:cleanup()
end)

-- Clients enough for every worker to have some.
local function crowd(count, ...)
  local pids, n = {}, 0
  for _ = 1, count do
    local pid = ask(join(running, ...), "pid")
    if not pids[pid] then pids[pid], n = true, n + 1 end
  end
  return n
end

describe("a topic of several workers", function()
  it("reaches every subscriber once", function()
    assert.is_true(crowd(40, "sub news") > 1)
    publish(running, "news", "one")
    publish(running, "news", "two") -- perhaps in another worker: then either may be the first
    for _, client in ipairs(room.clients) do
      local got = { client:frame().payload, client:frame().payload }
      table.sort(got)
      assert.same({ "one", "two" }, got)
    end
    server.sleep(0.1)
    for _, client in ipairs(room.clients) do assert.equal("", client.received) end
  end)

  it("numbers its messages for all of them, in one order", function()
    assert.is_true(crowd(20, "sub kept") > 1)
    for i = 1, 10 do publish(running, "kept", "m" .. i) end
    local all
    for _, client in ipairs(room.clients) do
      local list = {}
      for i = 1, 10 do
        local message = json.decode(client:frame().payload)
        list[i] = message.id .. " " .. message.data
      end
      all = all or list
      assert.same(all, list)
    end
    assert.matches(":10 m%d+$", all[10]) -- of the last two, either may have been the first to be numbered
  end)

  it("tells a new worker what it has missed", function()
    local watcher = join(running, "sub kept")
    for i = 1, 5 do publish(running, "kept", "m" .. i) end
    local messages = {}
    for i = 1, 5 do messages[i] = json.decode(watcher:frame().payload) end
    local keeper = ask(watcher, "pid")
    local victim
    repeat victim = ask(join(running), "pid") until victim ~= keeper
    uv.kill(victim, "sigkill")
    local known = {}
    -- Whoever answers, old or new, has the whole history.
    for _ = 1, 40 do
      local client = join(running)
      local _, list = ask(client, "from " .. messages[2].id)
      known[ask(client, "pid")] = true
      assert.same({ messages[3], messages[4], messages[5] }, list)
    end
    assert.is_nil(known[victim])
  end)
end)

describe("a handler that publishes more than fits into a pipe", function()
  it("waits until it is taken, and loses nothing", function()
    assert.is_true(crowd(8, "sub news") > 1)
    local text = ("x"):rep(1000000)
    assert.equal("ok", server.post(running, "/publish?to=other&times=100", text, 60).body)
    publish(running, "news", "after")
    for _, subscriber in ipairs(room.clients) do assert.equal("after", subscriber:frame(60).payload) end
    assert.is_nil(running:err():find "error")
  end)
end)

describe("workers that all publish at once", function()
  it("wait for each other, and none is taken for stuck", function()
    local text, answers = ("x"):rep(500), 0
    local posts = {}
    for i = 1, 16 do
      posts[i] = server.connect(running.port)
      posts[i]:send(("POST /publish?to=other&times=20000 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(
        #text, text))
    end
    for _, client in ipairs(posts) do
      if client:answer("POST", 60).body == "ok" then answers = answers + 1 end
      client:close()
    end
    assert.equal(16, answers)
    assert.is_nil(running:err():find "error")
  end)
end)

describe("a worker that is stuck", function()
  it("is killed before what waits for it fills the memory", function()
    local pid = ask(join(running, "sub news"), "pid")
    uv.kill(pid, "sigstop")
    local piece = ("x"):rep(1000000)
    for _ = 1, 200 do
      if running:err():find "hears nothing any more" then break end
      -- The kernel may give this one to the worker that is stopped.
      pcall(server.post, running, "/publish?to=news", piece, 0.2)
    end
    running:says(("worker %%d %%(process %d%%) hears nothing any more"):format(pid))
    running:says "was killed by signal 9"
  end)
end)

describe("presence over several workers", function()
  -- Asks until the one who answers, whichever worker that is, knows these; all of them do in the end.
  local function await(names, times)
    local right = 0
    running:wait(function()
      right = running:get "/present?sorted=yes" == names and right + 1 or 0
      return right >= times
    end, "these in the room: " .. names)
  end

  it("is known to all of them", function()
    for i = 1, 8 do join(running, "sub room", "here " .. i) end
    await("1,2,3,4,5,6,7,8", 12)
    room.clients[3]:close()
    await("1,2,4,5,6,7,8", 12)
  end)

  it("ends with the worker that dies", function()
    local by_worker = {}
    for i = 1, 8 do
      local client = join(running, "sub room", "here " .. i)
      local pid = ask(client, "pid")
      by_worker[pid] = by_worker[pid] or {}
      table.insert(by_worker[pid], client)
    end
    await("1,2,3,4,5,6,7,8", 8)
    local victim, dead = next(by_worker)
    uv.kill(victim, "sigkill")
    local gone = {}
    for _, client in ipairs(dead) do gone[client] = true end
    local left = {}
    for i, client in ipairs(room.clients) do
      if not gone[client] then left[#left + 1] = tostring(i) end
    end
    await(table.concat(left, ","), 8)
  end)
end)
