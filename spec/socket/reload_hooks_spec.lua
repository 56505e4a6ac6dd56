-- Hooks when new code comes into a process that serves: as with workers, but that onAppStart and onAppStop run once.

local program = require "spec.support.program"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local running, folder

after_each(function()
  if running then running:cleanup() end
  running = nil
end)

teardown(temp_routes.clean)

-- Says who answers, also in a session; /?go lets those go on that wait for it.
local function route(version)
  return ([[
    local state = require "lib.state"
    return function(event)
      if event.query:get "go" then package.loaded[event.query:get "go"] = true end
      if not event.ws.isUpgradeRequest then return "VERSION " .. tostring(state.connection) end
      return event.ws:upgrade(function(ws) ws.events:drain() end)
    end]]):gsub("VERSION", version)
end

local SAY = [[
  local state, sleep = require "lib.state", require("sprylua").sleep
  local function say(what) return function() io.stderr:write("VERSION ", what, "\n") end end
  local function wait(name) repeat sleep(0.01) until package.loaded[name] end
  local function start(connect)
    return function()
      say "starts" ()
      if connect then connect() end
      state.connection = "with VERSION"
      say "has started" ()
    end
  end
  return { onAppStart = say "app starts", onAppStop = say "app stops", onStop = say "stops", onStart = start(), MORE }]]

local function hooks(version, more)
  return (SAY:gsub("VERSION", version):gsub("MORE", more or ""))
end

local STATE = "return {}"

local function write(files)
  for name, content in pairs(files) do temp_routes.save(folder, name, content) end
end

local function serve(more, command, config)
  folder = temp_routes.project {
    ["routes/index.lua"] = route "one", ["hooks.lua"] = hooks("one", more), ["lib/state.lua"] = STATE,
    ["sprylua.config.lua"] = config or "return {}",
  }
  running = program.start { command or "serve", folder .. "/routes", "-p", "0" }
end

local function times(text)
  local _, count = running:err():gsub(text:gsub("%p", "%%%0"), "")
  return count
end

local function bring_in(version, more)
  write { ["routes/index.lua"] = route(version), ["hooks.lua"] = hooks(version, more) }
  running:signal "HUP"
end

local function becomes(wanted)
  running:wait(function() return running:get "/" == wanted end, wanted)
end

local function stop()
  running:signal "TERM"
  assert.equal(0, running:ended())
  assert.is_nil(running:err():find "Sanitizer")
end

local function open_session() return server.session(running, "/") end

describe("onStart of new code", function()
  it("runs before that serves, and what it has set is there", function()
    serve()
    assert.equal("one with one", (running:get "/"))
    bring_in "two"
    becomes "two with two"
    assert.matches("two has started.*the new code serves", running:err())
    stop()
    assert.equal(1, times "two starts")
    assert.equal(1, times "app starts")
  end)

  it("may wait, while the old code serves", function()
    serve()
    bring_in("two", "onStart = start(function() wait 'second' end)")
    running:says "the new code serves when its onStart has returned"
    assert.equal("one with one", (running:get "/"))
    running:get "/?go=second"
    becomes "two with two"
    stop()
    assert.matches("two has started.*the new code serves %(.*one stops.*two app stops.*two stops", running:err())
    assert.equal(1, times "two starts")
  end)

  for _, when in ipairs { "at once", "after a wait" } do
    it("keeps the old code when it raises " .. when, function()
      serve()
      local wait = when == "after a wait" and "sleep(0.01)" or ""
      bring_in("two", ("onStart = start(function() %s error 'no database' end)"):format(wait))
      running:says "the project does not start; the code from before goes on serving:"
      assert.matches("onStart raised: .-hooks.lua:%d+: no database.-\n> +%d+ |", running:err())
      assert.equal("one with one", (running:get "/"))
      bring_in "three"
      becomes "three with three"
      stop()
      assert.equal(0, times "two stops")
      assert.equal(1, times "one stops")
    end)
  end

  it("leaves the old code its modules when it raises", function()
    serve()
    write { ["routes/index.lua"] = "return function() return require('lib.state').connection end" }
    running:signal "HUP"
    becomes "with one"
    bring_in("two", "onStart = start(function() error 'no database' end)")
    running:says "does not start"
    assert.equal("with one", (running:get "/"))
  end)

  it("is told to every request under dev, when it raises", function()
    serve(nil, "dev")
    write { ["hooks.lua"] = hooks("two", "onStart = start(function() error 'no database' end)") }
    local page = running:wait(function()
      local body, status = running:get "/"
      return status == 500 and body
    end, "an error page")
    assert.matches("does not start.*no database", page)
    write { ["hooks.lua"] = hooks "three" }
    becomes "one with three"
  end)

  it("is given up where it waits when newer code comes", function()
    serve()
    bring_in("two", [[onStart = start(function()
      local _ <close> = require("sprylua").defer(say "is given up")
      wait "never"
    end)]])
    running:says "two starts"
    bring_in("three", "onStart = start(function() wait 'third' end)")
    running:says "three starts"
    assert.equal(1, times "two is given up")
    assert.equal("one with one", (running:get "/"))
    running:get "/?go=third"
    becomes "three with three"
    stop()
    for text, count in pairs {
      ["two has started"] = 0, ["two stops"] = 0, ["three starts"] = 1, ["one stops"] = 1, ["three stops"] = 1,
    } do
      assert.equal(count, times(text), text)
    end
  end)

  it("is given up when the server stops", function()
    serve()
    bring_in("two", "onStart = start(function() wait 'never' end)")
    running:says "two starts"
    stop()
    assert.equal(1, times "one stops")
    assert.equal(0, times "two stops")
    assert.equal(1, times "one app stops")
  end)

  it("loses its timers when newer code serves", function()
    local ticking = [[onStart = function()
      require("sprylua").every(0.001, function() package.loaded.VERSION = (package.loaded.VERSION or 0) + 1 end)
    end]]
    serve((ticking:gsub("VERSION", "one")))
    bring_in("two", (ticking:gsub("VERSION", "two")))
    running:says "the new code serves %("
    write { ["routes/index.lua"] = [[
      local first, second = package.loaded.one, package.loaded.two or 0
      return function()
        return ("%s %s"):format(package.loaded.one == first, (package.loaded.two or 0) > second)
      end]], ["hooks.lua"] = hooks("three", (ticking:gsub("VERSION", "two"))) }
    running:signal "HUP"
    becomes "true true"
  end)
end)

describe("onStop of old code", function()
  it("runs when its last session has ended", function()
    serve()
    local session = open_session()
    bring_in "two"
    becomes "two with two"
    bring_in "three"
    becomes "three with three"
    running:wait(function() return times "two stops" == 1 end, "the end of what nobody uses")
    assert.equal(0, times "one stops")
    session:close()
    running:says "one stops"
    stop()
    for _, version in ipairs { "one", "two", "three" } do assert.equal(1, times(version .. " stops"), version) end
    assert.equal(1, times "app stops")
    assert.equal(1, times "three app stops")
  end)

  it("runs when its last request has ended", function()
    serve()
    write { ["routes/index.lua"] = [[
      return function()
        io.stderr:write "waits\n"
        repeat require("sprylua").sleep(0.01) until package.loaded.first
        return "waited"
      end]] }
    running:signal "HUP"
    running:says "the new code serves %("
    running:wait(function() return times "one stops" == 1 end, "the end of the first")
    local client <close> = server.connect(running.port)
    client:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    running:says "waits\n"
    bring_in "two"
    becomes "two with two"
    assert.equal(1, times "one stops")
    running:get "/?go=first"
    assert.equal("waited", client:answer().body)
    running:wait(function() return times "one stops" == 2 end, "the end of the second")
    client:close()
    stop()
  end)

  it("runs when the server stops, if that comes first", function()
    serve()
    local session <close> = open_session()
    bring_in "two"
    becomes "two with two"
    stop()
    assert.equal(1, times "one stops")
    assert.equal(1, times "two stops")
    session:close()
  end)

  it("is waited for when the server stops meanwhile", function()
    serve "onStop = function() say 'stops' () wait 'first' say 'has stopped' () end"
    bring_in("two", "onStop = function() package.loaded.first = true end")
    running:says "one stops"
    becomes "two with two"
    stop()
    assert.equal(1, times "one has stopped")
  end)

  it("is ended where it waits after shutdownTimeout", function()
    serve("onStop = function() wait 'never' end", nil, "return { shutdownTimeout = 0.1 }")
    bring_in "two"
    running:says "onStop did not return within shutdownTimeout"
    assert.equal("two with two", (running:get "/"))
    stop()
  end)

  it("is logged when it raises", function()
    serve "onStop = function() error({}) end"
    bring_in "two"
    running:says "onStop raised: a table without __tostring or message was raised"
    assert.equal("two with two", (running:get "/"))
    stop()
  end)
end)

describe("limits for Lua", function()
  local files = { ["routes/spin.lua"] = "return function() while true do end end", ["routes/much.lua"] =
    "return function() local t = {} for i = 1, 1e9 do t[i] = { i } end return 'much' end" }

  it("hold as the new settings say", function()
    files["sprylua.config.lua"] = "return { limits = { cpuTime = false } }"
    folder = temp_routes.project(files)
    running = server.serve(folder .. "/routes", {})
    local reloads = 0
    local function become(limits)
      write { ["sprylua.config.lua"] = ("return { limits = { %s } }"):format(limits) }
      running:signal "HUP"
      reloads = reloads + 1
      running:wait(function() return times "the new code serves" == reloads end, "new settings")
    end
    become "cpuTime = 0.2"
    assert.equal(500, select(2, running:get "/spin"))
    running:says "ran for longer than limits.cpuTime %(0.2 s%) without a wait"
    become "cpuTime = 60, memory = 32000000"
    assert.equal(503, select(2, running:get "/much"))
    become "cpuTime = false"
    become "cpuTime = 0.3"
    assert.equal(500, select(2, running:get "/spin"))
    running:says "ran for longer than limits.cpuTime %(0.3 s%) without a wait"
    stop()
  end)

  it("are refused when what is loaded leaves no room", function()
    files["sprylua.config.lua"] = "return {}"
    folder = temp_routes.project(files)
    running = server.serve(folder .. "/routes", {})
    write { ["sprylua.config.lua"] = "return { limits = { memory = 100000 } }" }
    running:signal "HUP"
    running:says "limits.memory is 100000 bytes, and the project as it was loaded takes"
    assert.equal(404, select(2, running:get "/nowhere"))
    stop()
  end)
end)
