-- A scrape of any worker shows all of them.

local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

describe("metrics of several workers", function()
  local running

  before_each(function()
    local folder = temp_routes.project {
      ["sprylua.config.lua"] = 'return { metrics = "/metrics", limits = { cpuTime = 60 } }',
      ["routes/hello.get.lua"] = "return function() return 'hello' end",
      ["routes/stop.get.lua"] = [[
        local uv = require "luv"
        return function()
          local timer = uv.new_timer()
          timer:start(20, 0, function() uv.kill(uv.os_getpid(), "sigstop") end)
          return ("%d"):format(uv.os_getpid())
        end]],
    }
    running = server.serve(folder .. "/routes", { arguments = { "--log", "none", "-w", "3" } })
  end)

  after_each(function() running:cleanup() end)

  local function get(path) return server.get(running, path).body end

  local function workers(shown)
    local found = {}
    for number in shown:gmatch 'sprylua_resident_bytes{worker="(%d+)"} %d+\n' do found[#found + 1] = number end
    table.sort(found)
    return table.concat(found, " ")
  end

  local function state_of(pid)
    for line in io.lines(("/proc/%s/status"):format(pid)) do
      local state = line:match "^State:%s*(%a)"
      if state then return state end
    end
  end

  it("are all there, and add up", function()
    for _ = 1, 30 do get "/hello" end
    local shown, sum = get "/metrics", 0
    assert.equal("1 2 3", workers(shown))
    for count in shown:gmatch 'sprylua_requests_total{worker="%d",route="/hello",method="GET",status="200"} (%d+)\n' do
      sum = sum + tonumber(count)
    end
    assert.equal(30, sum)
    server.stop(running)
  end)

  it("leave out a worker that does not answer", function()
    local stopped = get "/stop"
    finally(function() os.execute("kill -CONT " .. stopped) end)
    server.wait(function() return state_of(stopped) == "T" end, "a worker that stands still")
    -- Its socket goes on taking connections, which nobody answers: others are tried beside them.
    local shown = server.wait(function()
      local client <close> = server.connect(running.port)
      client:send(http.request("GET", "/metrics", {}))
      local answered, answer = pcall(client.answer, client, "GET", 3)
      return answered and answer.body
    end, "an answer of another worker", 30)
    assert.matches("^%d %d$", workers(shown))
  end)
end)

describe("metrics of a process that takes over new code", function()
  local running, folder

  after_each(function() running:cleanup() end)

  local function reload(times)
    running:signal "HUP"
    running:wait(function()
      return select(2, running:err():gsub("the new code serves", "")) == times
    end, "new code")
  end

  it("go on", function()
    folder = temp_routes.project {
      ["sprylua.config.lua"] = 'return { metrics = "/metrics" }',
      ["routes/hello.get.lua"] = "return function() return 'hello' end",
      ["routes/gone.get.lua"] = "return function() return 'gone' end",
      ["routes/wait.get.lua"] = [[
        return function(event)
          if event.query:get "go" then package.loaded.go = true end
          io.stderr:write "waits\n"
          repeat require("sprylua").sleep(0.01) until package.loaded.go
          return "waited"
        end]],
    }
    running = server.serve(folder .. "/routes", {})
    local function number(pattern)
      return tonumber((running:get "/metrics"):match(pattern .. " (%d+)\n"))
    end
    local function requests(route) return number(('requests_total{worker="1",route="%s".-}'):format(route)) end
    for _ = 1, 3 do running:get "/hello" end
    running:get "/gone"
    local client <close> = server.connect(running.port)
    client:send "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
    running:says "waits"
    local accepted = number 'accepted_total{worker="1"}'
    os.remove(folder .. "/routes/gone.get.lua")
    reload(1)
    running:get "/hello"
    running:get "/wait?go=1"
    assert.equal("waited", client:answer().body)
    assert.equal(4, requests "/hello")
    assert.equal(4, number 'request_seconds_count{worker="1",route="/hello"}')
    assert.equal(1, requests "/gone")
    assert.equal(2, requests "/wait")
    assert.is_true(number 'accepted_total{worker="1"}' > accepted)
    temp_routes.write(folder, "sprylua.config.lua", "return {}")
    reload(2)
    assert.equal(404, select(2, running:get "/metrics"))
    temp_routes.write(folder, "sprylua.config.lua", 'return { metrics = "/metrics" }')
    reload(3)
    assert.equal(4, requests "/hello")
    client:close()
    server.stop(running)
  end)
end)
