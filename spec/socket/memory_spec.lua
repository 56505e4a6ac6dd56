-- limits.memory: what takes too much of Lua's memory fails, and the server lives on.

local frames = require "sprylua.testing.frames"
local http = require "sprylua.testing.http"
local program = require "spec.support.program"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local MIB = 1 << 20

local function project(memory, files)
  local all = { ["sprylua.config.lua"] = ("return { limits = { memory = %d } }"):format(memory) }
  for name, text in pairs(files) do all[name] = text end
  return temp_routes.project(all) .. "/routes"
end

local routes = {
  ["routes/hello.get.lua"] = "return function() return 'hello' end",
  ["routes/table.get.lua"] = [[
    return function()
      local list = {}
      for i = 1, 1e8 do list[i] = { i } end
      return "built"
    end]],
  ["routes/string.get.lua"] = "return function() return #(('x'):rep(1 << 30)) .. '' end",
  ["routes/caught.get.lua"] = [[
    return function()
      local ok, problem = pcall(string.rep, "x", 1 << 30)
      return tostring(ok) .. " " .. problem
    end]],
  ["routes/buffers.get.lua"] = "return function() return type(debug.getregistry()['_UBOX*'].__close) end",
  ["routes/inner/_middleware.lua"] = "return function(_, next) return next() end",
  ["routes/litter.get.lua"] = [[
    return function()
      for i = 1, 60 do local _ = ("x"):rep(1 << 20) .. i end
      return "littered"
    end]],
  ["routes/hoard.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        local hoard = {}
        for _, message in ws.events do
          for i = 1, tonumber(message) do hoard[#hoard + 1] = ("x"):rep(1000) .. i end
          ws:sendText(tostring(#hoard))
        end
      end)
    end]],
  ["routes/keep.get.lua"] = [[
    kept = {} -- luacheck: ignore
    return function()
      while true do kept[#kept + 1] = { #kept } end
    end]],
  ["routes/release.get.lua"] = [[
    return function() kept = nil return "released" end -- luacheck: ignore
  ]],
}
routes["routes/inner/table.get.lua"] = routes["routes/table.get.lua"]

describe("limits.memory", function()
  local folder, running

  setup(function() folder = project(32 * MIB, routes) end)

  before_each(function() running = server.serve(folder, { arguments = { "--log", "none" } }) end)

  after_each(function() running:cleanup() end)

  local function get(path) return server.get(running, path) end

  local function peak()
    for line in io.lines(("/proc/%s/status"):format(running.pid)) do
      local size = line:match "^VmHWM:%s*(%d+) kB"
      if size then return tonumber(size) * 1024 end
    end
  end

  for _, path in ipairs { "/table", "/string", "/inner/table" } do
    it("answers 503 to a request that takes too much, and serves the next: " .. path, function()
      for _ = 1, 3 do
        assert.equal(503, get(path).status)
        assert.equal("hello", get("/hello").body)
      end
      if not program.path:find "asan" then assert.is_true(peak() < 80 * MIB) end
      server.stop(running)
    end)
  end

  it("lets a handler catch it", function()
    assert.equal("false not enough memory", get("/caught").body)
    server.stop(running)
  end)

  -- Lua 5.4 leaves a class without methods behind when memory runs out while it makes that.
  it("does not have to make Lua's class of large buffers", function()
    assert.equal("function", get("/buffers").body)
    server.stop(running)
  end)

  it("collects what is garbage before it refuses anything", function()
    assert.equal("littered", get("/litter").body)
    server.stop(running)
  end)

  it("closes a session that hoards with 1011, and another one goes on", function()
    local greedy, modest = server.session(running, "/hoard"), server.session(running, "/hoard")
    greedy:sendFrame { opcode = "text", payload = "100000" }
    local code = frames.parseClose(greedy:frame().payload)
    assert.equal(1011, code)
    modest:sendFrame { opcode = "text", payload = "10" }
    assert.equal("10", modest:frame().payload)
    running:says "not enough memory"
    greedy:close()
    modest:close()
    server.stop(running)
  end)

  it("lives with memory that is full, until somebody lets go of it", function()
    assert.equal(503, get("/keep").status)
    assert.equal(503, get("/keep").status)
    server.wait(function() return get("/release").body == "released" end, "an answer")
    assert.equal("hello", get("/hello").body)
    server.stop(running)
  end)
end)

describe("what has finalizers", function()
  local files = {
    ["sprylua.config.lua"] = "return { limits = { memory = 32 << 20 } }",
    ["routes/idle.get.lua"] = [[
      local meta = { __gc = function() end }
      return function()
        local list = {}
        for i = 1, 1e8 do list[i] = setmetatable({ ("x"):rep(1000) .. i }, meta) end
      end]],
    ["routes/busy.get.lua"] = [[
      local meta = { __gc = function() local _ = ("x"):rep(1000) end }
      return function()
        local list = {}
        for i = 1, 1e8 do list[i] = setmetatable({}, meta) end
      end]],
    ["routes/raising.get.lua"] = [[
      local meta = { __gc = function() error "raised" end }
      return function()
        local list = {}
        for i = 1, 1e8 do list[i] = setmetatable({ ("x"):rep(1000) .. i }, meta) end
      end]],
    ["routes/files.get.lua"] = [[
      return function()
        local list = {}
        for i = 1, 1e8 do list[i] = { (assert(io.open "/dev/null")), ("x"):rep(300000) .. i } end
      end]],
    ["routes/modest.get.lua"] = [[
      return function()
        local list = {}
        for i = 1, 5e4 do list[i] = { i } end
        return "built " .. #list
      end]],
    ["routes/heap.get.lua"] = "return function() return tostring(collectgarbage 'count' // 1) end",
  }
  local running

  before_each(function()
    running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
  end)

  after_each(function() running:cleanup() end)

  local function get(path) return server.get(running, path) end

  -- Somebody asks all the time: the server never rests.
  local function there_is_room()
    server.wait(function() return get("/modest").body == "built 50000" end, "room")
  end

  for _, path in ipairs { "/idle", "/raising", "/files" } do
    it("is freed after the request, while others go on: " .. path, function()
      for _ = 1, 2 do
        assert.equal(503, get(path).status)
        there_is_room()
        server.wait(function() return tonumber(get("/heap").body) < 16 * 1024 end, "a small heap")
      end
      server.stop(running)
    end)
  end

  it("is freed by and by when its finalizers take memory themselves", function()
    assert.equal(503, get("/busy").status)
    there_is_room()
    server.stop(running)
  end)
end)

describe("a request that memory runs out for", function()
  local files = {
    ["sprylua.config.lua"] = "return { limits = { memory = 32 << 20 }, metrics = '/metrics' }",
    ["hooks.lua"] = [[
      return { onError = function(err, event)
        io.stderr:write(("told of %d %s in %s\n"):format(err.status, err.message, event and event.path))
      end }]],
    ["routes/full.get.lua"] = [[
      return function(event)
        kept = kept or {} -- luacheck: ignore
        while true do kept[#kept + 1] = { event } end
      end]],
  }
  for _, name in ipairs { "hello", "table", "inner/_middleware", "inner/table" } do
    local path = name:find "_" and name or name .. ".get"
    files["routes/" .. path .. ".lua"] = routes["routes/" .. path .. ".lua"]
  end
  local running

  before_each(function() running = server.serve(temp_routes.project(files) .. "/routes") end)

  after_each(function() running:cleanup() end)

  local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

  for _, path in ipairs { "/table", "/inner/table" } do
    it("is reported as any other error: " .. path, function()
      local client <close> = server.connect(running.port)
      client:send(http.request("GET", path, { headers = { Connection = "close" } }))
      local bytes = client:readAll()
      assert.matches("^HTTP/1.1 503 ", bytes)
      running:wait(function() return running:out():find(path, 1, true) end, "a line of the access log")
      assert.matches((" 503 GET %s %%S+ %d "):format(path, #bytes), running:out())
      assert.equal(1, count(running:err(), ("error: GET %s: not enough memory\n"):format(path)))
      assert.equal(1, count(running:err(), ("told of 503 not enough memory in %s\n"):format(path)))
      local metrics = running:get "/metrics"
      assert.matches('requests_total{[^}]*status="503"[^}]*} 1\n', metrics)
      assert.is_nil(metrics:find 'refused_total{[^}]*status="503"[^}]*} 1\n')
      assert.matches('response_bytes_total{?[^\n ]* ' .. #bytes .. '\n', metrics)
      server.stop(running)
    end)
  end

  it("is reported when memory stays full", function()
    for i = 1, 5 do
      local _, status = running:get "/full"
      assert.equal(503, status)
      local reported = function() return count(running:err(), "error: GET /full: [%a ]+ memory") >= i end
      running:wait(reported, "a line in the log")
    end
    running:wait(function() return count(running:out(), "503 GET /full") == 5 end, "lines of the access log")
    running:signal "TERM"
    assert.equal(0, running:ended())
  end)
end)

describe("a limit for memory that the project itself exceeds", function()
  it("is refused at the start, with the least that it takes", function()
    local folder = project(MIB, { ["routes/hello.get.lua"] = [[
      _G.much = ("x"):rep(1 << 20)
      return function() return "hello" end]] })
    local result = program.run { "serve", folder, "-p", "0" }
    assert.equal(65, result.code)
    local least = tonumber(result.err:match "limits%.memory is 1048576 bytes.*allow (%d+) or more")
    assert.is_true(least > 2 * MIB)
  end)
end)
