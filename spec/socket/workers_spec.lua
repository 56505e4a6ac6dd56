-- Several worker processes behind one address: who answers, what becomes of the others when one dies, and how new code
-- comes in without a request lost.

local frames = require "sprylua.testing.frames"
local program = require "spec.support.program"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local running

after_each(function()
  if running then running:cleanup() end
  running = nil
end)

local WHO = [[
  local uv = require "luv"
  return function(event)
    return ("%d %d VERSION"):format(event.context.worker, uv.os_getpid())
  end]]

local SESSION = [[
  return function(event)
    return event.ws:upgrade(function(ws)
      ws:sendText(("%d"):format(require "luv".os_getpid()))
      ws.events:drain()
    end)
  end]]

local function version(n) return (WHO:gsub("VERSION", n)) end

local function project(files)
  files = files or {}
  files["routes/index.lua"] = files["routes/index.lua"] or version "one"
  files["routes/session.lua"] = SESSION
  return temp_routes.project(files)
end

local function serve(folder, arguments)
  running = server.serve(folder .. "/routes", { arguments = arguments or { "-w", "3" } })
  return running
end

-- What one request says: the worker's number, its process, the version of the code.
local function ask()
  local number, pid, which = running:get("/"):match "^(%d+) (%d+) (%w+)$"
  return number, pid, which
end

-- The processes of all workers, by number. The kernel deals connections out as it likes.
local function all(count)
  local found, n = {}, 0
  running:wait(function()
    local number, pid = ask()
    if number and not found[number] then found[number], n = pid, n + 1 end
    return n == count
  end, count .. " workers")
  return found
end

local function alive(pid)
  return uv.kill(tonumber(pid), 0) == 0
end

local function open_session()
  local client = server.session(running, "/session")
  return client, client:frame().payload
end

local function close_code(client)
  return (frames.parseClose(client:frame().payload))
end

describe("workers", function()
  it("share one address", function()
    serve(project())
    all(3)
    assert.matches("listens on http://127.0.0.1:%d+/ with 3 workers", running:err())
    server.stop(running)
  end)

  it("are as many as there are processors", function()
    serve(project(), { "-w", "auto" })
    all(uv.available_parallelism())
    server.stop(running)
  end)

  it("all end with the server", function()
    serve(project())
    local pids = all(3)
    server.stop(running)
    for _, pid in pairs(pids) do assert.is_false(alive(pid)) end
  end)

  it("end when the process above them is killed", function()
    serve(project())
    local pids = all(3)
    running:signal "KILL"
    running:wait(function()
      for _, pid in pairs(pids) do
        if alive(pid) then return false end
      end
      return true
    end, "the end of the workers")
  end)

  it("are replaced when they die, and nobody else notices", function()
    serve(project())
    local before = all(3)
    local client, pid = open_session()
    local victim, number
    for n, candidate in pairs(before) do
      if candidate ~= pid then victim, number = candidate, n end
    end
    uv.kill(tonumber(victim), "sigkill")
    local after
    running:wait(function()
      local n, candidate = ask()
      after = n == number and candidate ~= victim and candidate
      return after
    end, "another worker " .. number)
    assert.matches(("worker %s %%(process %s%%) was killed by signal 9"):format(number, victim), running:err())
    client:sendFrame { opcode = "ping", payload = "there?" }
    assert.equal("there?", client:frame().payload)
    client:close()
    server.stop(running)
  end)

  it("fail together when the code is not sound", function()
    local folder = project { ["routes/index.lua"] = "this is no Lua" }
    local ended = program.run { "serve", folder .. "/routes", "-p", "0", "-w", "2" }
    assert.equal(65, ended.code)
    local _, times = ended.err:gsub("index%.lua", "")
    assert.equal(1, times)
  end)

  it("fail together when onStart does", function()
    local folder = project { ["hooks.lua"] = "return { onStart = function() error 'no database' end }" }
    local ended = program.run { "serve", folder .. "/routes", "-p", "0", "-w", "2" }
    assert.equal(1, ended.code)
    assert.matches("no database", ended.err)
  end)

  it("run the hooks of a worker in each, and those of the app in one", function()
    local folder = project { ["hooks.lua"] = [[
      local function say(what)
        -- In one write: others write there too.
        return function(config) io.stderr:write(("hook %s %d\n"):format(what, config.shutdownTimeout)) end
      end
      return {
        onAppStart = say "app start", onAppStop = say "app stop", onStart = say "start", onStop = say "stop",
      }]] }
    serve(folder)
    local function times(what) return select(2, running:err():gsub("hook " .. what .. " 10\n", "")) end
    assert.equal(1, times "app start")
    assert.equal(3, times "start")
    running:signal "HUP"
    running:wait(function() return times "stop" == 3 end, "the end of the old workers")
    assert.equal(6, times "start")
    server.stop(running)
    assert.equal(1, times "app start")
    assert.equal(1, times "app stop")
    assert.equal(6, times "stop")
    assert.is_true(running:err():find "hook app start" < running:err():find "hook start")
  end)

  it("do not share a port with another server", function()
    serve(project())
    local ended = program.run { "serve", project() .. "/routes", "-p", tostring(running.port), "-w", "2" }
    assert.equal(69, ended.code)
    assert.matches("another program has that port", ended.err)
    server.stop(running)
  end)

  it("are a number, or auto", function()
    for _, wrong in ipairs { "0", "257", "two", "1.5" } do
      local ended = program.run { "serve", project() .. "/routes", "-p", "0", "-w", wrong }
      assert.equal(64, ended.code)
      assert.matches("%-%-workers must be a whole number from 1 to 256, or \"auto\"", ended.err)
    end
  end)
end)

describe("HUP", function()
  it("brings in the new code, and closes the sessions of the old with 1012", function()
    local folder = project()
    serve(folder)
    local client = open_session()
    temp_routes.write(folder, "routes/index.lua", version "two")
    running:signal "HUP"
    assert.equal(1012, close_code(client))
    client:close()
    running:says "the new code serves"
    running:wait(function()
      local _, _, which = ask()
      return which == "two"
    end, "an answer of the new code")
    for _ = 1, 20 do
      local _, _, which = ask()
      assert.equal("two", which)
    end
    server.stop(running)
  end)

  it("keeps what serves when the new code is not sound", function()
    local folder = project()
    serve(folder)
    local before = all(3)
    temp_routes.write(folder, "routes/index.lua", "this is no Lua")
    running:signal "HUP"
    running:says "the code from before goes on serving"
    assert.matches("index%.lua", running:err())
    assert.same(before, all(3))
    temp_routes.write(folder, "routes/index.lua", version "two")
    running:signal "HUP"
    running:says "the new code serves"
    server.stop(running)
  end)

  it("sends away those that start when another one of them fails", function()
    local folder = project()
    serve(folder)
    local before = all(3)
    temp_routes.write(folder, "hooks.lua", [[
      local spry = require "sprylua"
      return { onStart = function()
        local number = spry.context.worker
        io.stderr:write(("worker %d starts\n"):format(number))
        if number == 2 then spry.sleep(0.1) error "no, thanks" end
        if number == 3 then spry.sleep(60) end
      end }]])
    running:signal "HUP"
    running:says "the code from before goes on serving"
    assert.matches("worker 3 starts", running:err())
    running:wait(function() return #running:children() == 3 end, "the end of the new ones")
    assert.same(before, all(3))
    assert.is_nil(running:err():find "it is killed")
    server.stop(running)
  end)

  it("keeps what serves when the settings are not sound", function()
    local folder = project { ["sprylua.config.lua"] = "return {}" }
    serve(folder)
    local before = all(3)
    temp_routes.write(folder, "sprylua.config.lua", "return { prot = 1 }")
    running:signal "HUP"
    running:says "the settings are not sound"
    assert.matches("did you mean port%?", running:err())
    assert.same(before, all(3))
    server.stop(running)
  end)

  it("says which settings take a restart", function()
    local folder = project { ["sprylua.config.lua"] = "return {}" }
    serve(folder)
    temp_routes.write(folder, "sprylua.config.lua", "return { host = '::1', limits = { body = 7 } }")
    running:signal "HUP"
    running:says "the new code serves"
    assert.matches("host stays 127%.0%.0%.1: restart the server to make it ::1", running:err())
    server.stop(running)
  end)

  it("takes the place of a worker that is to be replaced later", function()
    serve(project())
    for _, delay in ipairs { 0.1, 0.2, 0.4, 0.8 } do
      local victim = all(3)["1"]
      uv.kill(tonumber(victim), "sigkill")
      if delay > 0.1 then running:says(("the next one starts in %g s"):format(delay / 2)) end
    end
    running:signal "HUP"
    running:says "the new code serves"
    server.sleep(0.5)
    running:wait(function() return #running:children() == 3 end, "the end of all but three workers")
    server.stop(running)
  end)

  it("loses no request", function()
    local folder = project()
    serve(folder)
    local failed, answered = 0, 0
    local function once()
      local client = server.connect(running.port)
      client:send "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      local ok, answer = pcall(client.answer, client)
      if ok and answer.status == 200 then answered = answered + 1 else failed = failed + 1 end
      client:close()
    end
    for round = 1, 3 do
      temp_routes.write(folder, "routes/index.lua", version("round" .. round))
      running:signal "HUP"
      repeat
        once()
        local _, times = running:err():gsub("the new code serves", "")
      until times == round
    end
    for _ = 1, 20 do once() end
    assert.equal(0, failed)
    assert.is_true(answered > 20)
    server.stop(running)
  end)
end)
