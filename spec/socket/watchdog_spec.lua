-- limits.cpuTime: Lua that never returns to the loop costs its own request or session, and nobody else anything.

local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local routes = {
  ["hello.get.lua"] = "return function() return 'hello' end",
  ["spin.get.lua"] = "return function()\n  while true do end\nend",
  ["recursive.get.lua"] = [[
    local function down(n) return n == 0 and 0 or 1 + down(n - 1) end
    return function() while true do pcall(down, 1e6) end end]],
  ["resume.get.lua"] = [[
    return function()
      local inner = coroutine.create(function() while true do end end)
      local outer = coroutine.create(function() coroutine.resume(inner) end)
      coroutine.resume(outer)
      return coroutine.status(inner) == "dead" and "interrupted"
    end]],
  ["wrap.get.lua"] = [[
    return function()
      coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()
    end]],
  ["many.get.lua"] = [[
    return function()
      while true do
        local co = coroutine.create(function() while true do coroutine.yield() end end)
        for _ = 1, 100 do coroutine.resume(co) end
        coroutine.close(co)
      end
    end]],
  ["caught.get.lua"] = [[
    local function spin() while true do end end
    return function() while true do pcall(spin) end end]],
  ["nested.get.lua"] = [[
    local function spin() while true do end end
    return function() while true do pcall(coroutine.wrap(spin)) end end]],
  ["handler.get.lua"] = [[
    local function fail() error "failed" end
    return function() xpcall(fail, function() while true do end end) return "handled" end]],
  ["spun.get.lua"] = [[
    local function spin() while true do end end
    return function() return select(2, xpcall(spin, spin)) end]],
  ["worse.get.lua"] = [[
    local function spin() while true do end end
    return function() while true do xpcall(spin, function(cause) spin(error(cause)) end) end end]],
  ["spun/traced.get.lua"] = [[
    local function spin() while true do end end
    return function() return select(2, xpcall(spin, debug.traceback)) end]],
  ["spun/wrapped.get.lua"] = [[
    local function spin() while true do end end
    return function() return xpcall(spin, coroutine.wrap(spin)) end]],
  ["spun/yielded.get.lua"] = [[
    local spry = require "sprylua"
    local function spin() spry.sleep(0.01) while true do end end
    return function() return select(2, xpcall(spin, spin)) end]],
  ["sort.get.lua"] = [[
    return function()
      while true do
        local list = {}
        for i = 1, 1000 do list[i] = i % 7 end
        table.sort(list, function(a, b) return a < b end)
      end
    end]],
  ["library.get.lua"] = [[
    return function()
      while true do ("x"):rep(1e5):gsub("x", "yy") end
    end]],
  ["closing.get.lua"] = [[
    return function()
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function() while true do end end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      assert(coroutine.close(co))
    end]],
  ["stream.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        write "begun"
        spry.sleep(0.01) -- that is on its way
        while true do end
      end)
    end]],
  ["timer.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      spry.after(0.01, function() while true do end end)
      return "started"
    end]],
  ["every.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      spry.every(0.01, function() while true do end end)
      return "started"
    end]],
  ["quiet.get.lua"] = [[
    local spry = require "sprylua"
    local function spin() while true do end end
    return function()
      spry.every(0.01, function() pcall(spin) spry.sleep(0.01) end)
      return "started"
    end]],
  ["clock.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        ws:every(0.01, function() while true do end end)
        for _ in ws.events do end
      end)
    end]],
  ["task.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      spry.spawn(function() spry.sleep(0.01) while true do end end)
      return "started"
    end]],
  ["luv.get.lua"] = [[
    local uv = require "luv"
    return function()
      local timer = uv.new_timer()
      timer:start(10, 0, function() timer:close() while true do end end)
      return "started"
    end]],
  ["echo.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        for _, message in ws.events do
          if message == "spin" then while true do end end
          ws:sendText(message)
        end
      end)
    end]],
  -- One match that takes longer than anybody waits.
  ["pattern.get.lua"] = "return function() return ('a'):rep(60):find(('a?'):rep(60) .. ('a'):rep(60) .. 'b') end",
  ["finalizer.get.lua"] = [[
    return function()
      setmetatable({}, { __gc = function() while true do end end })
      collectgarbage()
    end]],
}

local function project(config)
  local files = { ["sprylua.config.lua"] = "return " .. config }
  for name, text in pairs(routes) do files["routes/" .. name] = text end
  return temp_routes.project(files) .. "/routes"
end

describe("Lua that never returns to the loop", function()
  local folder, running

  setup(function() folder = project "{ limits = { cpuTime = 0.2 } }" end)

  before_each(function() running = server.serve(folder, { arguments = { "--log", "none" } }) end)

  after_each(function() running:cleanup() end)

  local function get(path) return server.get(running, path) end

  local function goes_on()
    assert.equal("hello", get("/hello").body)
    server.stop(running)
  end

  for path, place in pairs {
    ["/spin"] = "spin%.get%.lua:", ["/recursive"] = "recursive%.get%.lua:", ["/wrap"] = "wrap%.get%.lua:",
    ["/many"] = "many%.get%.lua:", ["/caught"] = "caught%.get%.lua:",
    ["/nested"] = "nested%.get%.lua:", ["/sort"] = "sort%.get%.lua:", ["/library"] = "library%.get%.lua:",
    ["/closing"] = "closing%.get%.lua:", ["/worse"] = "worse%.get%.lua:",
  } do
    it("gets a 500, and a log that says where: " .. path, function()
      local answer = get(path)
      assert.equal(500, answer.status)
      assert.is_nil(answer.body:find("cpuTime", 1, true))
      running:says(place .. "%d+: ran for longer than limits%.cpuTime %(0%.2 s%) without a wait.*\nstack traceback")
      goes_on()
    end)
  end

  it("leaves out a message handler, which could not be interrupted", function()
    assert.equal("handled", get("/handler").body)
    for _, path in ipairs { "/spun", "/spun/yielded" } do
      assert.matches("%.lua:%d: ran for longer than limits%.cpuTime %(0%.2 s%) without a wait$", get(path).body)
    end
    goes_on()
  end)

  it("does not leave out one of C: debug.traceback, say", function()
    assert.matches("^%S*traced%.get%.lua:1: ran for longer.*\nstack traceback:.*traced%.get%.lua:2:",
      get("/spun/traced").body)
    assert.equal(500, get("/spun/wrapped").status)
    goes_on()
  end)

  it("costs its coroutine alone when whoever resumed that has an answer", function()
    assert.equal("interrupted", get("/resume").body)
    goes_on()
  end)

  it("does so again and again", function()
    for _ = 1, 3 do
      assert.equal(500, get("/spin").status)
      assert.equal(500, get("/wrap").status)
    end
    goes_on()
  end)

  it("breaks off a stream", function()
    local client = server.connect(running.port)
    client:send(http.request("GET", "/stream", {}))
    assert.matches("^HTTP/1%.1 200.*begun", client:readAll())
    running:says "stream%.get%.lua:6: ran for longer"
    goes_on()
  end)

  it("closes its own session with 1011, and others echo on", function()
    local spinning, other = server.session(running, "/echo"), server.session(running, "/echo")
    spinning:sendFrame { opcode = "text", payload = "spin" }
    other:sendFrame { opcode = "text", payload = "still here" }
    local close = spinning:frame()
    assert.equal(1011, (string.unpack(">I2", close.payload)))
    assert.equal("still here", other:frame().payload)
    running:says "echo%.get%.lua:4: ran for longer"
    spinning:close()
    other:close()
    goes_on()
  end)

  for _, name in ipairs { "timer", "task", "luv" } do
    it("is logged when it is nobody's request: " .. name, function()
      assert.equal("started", get("/" .. name).body)
      running:says(name .. "%.get%.lua:%d: ran for longer")
      goes_on()
    end)
  end

  for name, line in pairs { every = 3, quiet = 4 } do
    it("is the end of its timer: " .. name, function()
      assert.equal("started", get("/" .. name).body)
      running:says(("the timer of %%S*%s%%.get%%.lua:%d is cancelled, for it was interrupted"):format(name, line))
      goes_on()
      assert.equal(1, select(2, running:err():gsub("is cancelled", "")))
      assert.is_true(select(2, running:err():gsub("ran for longer than limits.cpuTime %(", "")) <= 1)
    end)
  end

  it("ends the session of its timer with 1011", function()
    local client <close> = server.session(running, "/clock")
    assert.equal(1011, (string.unpack(">I2", client:frame().payload)))
    running:says "clock%.get%.lua:3: ran for longer"
    goes_on()
  end)

  for _, name in ipairs { "pattern", "finalizer" } do
    it("says so when it can't interrupt: " .. name, function()
      local client = server.connect(running.port)
      client:send(http.request("GET", "/" .. name, {}))
      running:says "something has run for three times limits%.cpuTime and could not be interrupted"
      client:close()
    end)
  end
end)

describe("limits.cpuTime", function()
  local busy = [[
    return function()
      local till = os.clock() + 0.4
      while os.clock() < till do end
      return "done"
    end]]

  for setting, status in pairs { ["0.1"] = 500, ["false"] = 200, ["60"] = 200 } do
    it("can be " .. setting, function()
      local folder = temp_routes.project {
        ["sprylua.config.lua"] = ("return { limits = { cpuTime = %s } }"):format(setting),
        ["routes/busy.get.lua"] = busy,
      }
      local running = server.serve(folder .. "/routes", { arguments = { "--log", "none" } })
      finally(function() running:cleanup() end)
      local _, got = running:get "/busy"
      assert.equal(status, got)
      server.stop(running)
    end)
  end

  it("costs one of several workers, which is replaced", function()
    local running = server.serve(temp_routes.project {
      ["sprylua.config.lua"] = "return { limits = { cpuTime = 0.1 } }",
      ["routes/stuck.get.lua"] = "return function() os.execute 'sleep 5' return 'done' end",
      ["routes/index.lua"] = "return function() return 'hello' end",
    } .. "/routes", { arguments = { "--log", "none", "-w", "2" } })
    finally(function() running:cleanup() end)
    local client = server.connect(running.port)
    client:send(http.request("GET", "/stuck", {}))
    running:says "ended with code 70"
    client:close()
    for _ = 1, 4 do assert.equal("hello", (running:get "/")) end
    server.stop(running)
  end)

  describe("and a publication that other workers have no room for", function()
    local function serve()
      return server.serve(temp_routes.project {
        ["sprylua.config.lua"] = "return { limits = { cpuTime = 1 } }",
        ["routes/publish.post.lua"] = [[
          local spry = require "sprylua"
          return function(event)
            local text = event.request:text()
            for _ = 1, 10 do spry.publish("news", text) end
            return "published"
          end]],
        ["routes/publish/forever.post.lua"] = [[
          local spry = require "sprylua"
          return function(event)
            local text = event.request:text()
            while true do spry.publish("news", text) end
          end]],
      } .. "/routes", { arguments = { "--log", "none", "-w", "2" } })
    end

    it("does not count its wait", function()
      local running = serve()
      finally(function() running:cleanup() end)
      running:signal "STOP" -- the process above, which carries what is published
      local client = server.connect(running.port)
      client:send(http.request("POST", "/publish", { body = ("x"):rep(1000000) }))
      server.sleep(1.5)
      assert.equal("", client.received)
      running:signal "CONT"
      assert.equal("published", client:answer().body)
      client:close()
      server.stop(running)
    end)

    it("still ends who publishes for ever", function()
      local running = serve()
      finally(function() running:cleanup() end)
      assert.equal(500, server.post(running, "/publish/forever", ("x"):rep(100)).status)
      server.stop(running)
    end)
  end)
end)
