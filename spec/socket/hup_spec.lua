-- HUP to a process that serves alone: it takes over the project as it is now, once, without dropping anybody.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local running, folder

after_each(function()
  if running then running:cleanup() end
  running = nil
end)

teardown(temp_routes.clean)

local function route(version)
  return ([[
    return function(event)
      if not event.ws.isUpgradeRequest then return "VERSION" end
      return event.ws:upgrade(function(ws)
        for kind in ws.events do
          if kind == "text" then ws:sendText "VERSION" end
        end
      end)
    end]]):gsub("VERSION", version)
end

local function write(name, content) temp_routes.write(folder, name, content) end

local function serve(files)
  folder = temp_routes.project(files)
  running = server.serve(folder .. "/routes", {})
end

describe("HUP to a process alone", function()
  it("brings in new code, and keeps what is open", function()
    serve { ["routes/index.lua"] = route "one" }
    local idle <close> = server.connect(running.port)
    idle:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("one", idle:answer().body)
    local session <close> = server.session(running, "/")
    write("routes/index.lua", route "two")
    idle:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("one", idle:answer().body) -- nobody watches
    running:signal "HUP"
    running:says "the new code serves"
    idle:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("two", idle:answer().body)
    session:sendFrame { opcode = 1, payload = "?" }
    assert.equal("one", session:frame().payload)
    session:close()
    server.stop(running)
  end)

  it("keeps the old code when the new one does not load, and says why", function()
    serve { ["routes/index.lua"] = route "one" }
    write("routes/index.lua", "return function(event) return 'two'")
    write("routes/other.lua", "return 7")
    running:signal "HUP"
    running:says "the project does not load; the code from before goes on serving:.*2 problems"
    assert.truthy(running:err():find "routes/index%.lua:1: 'end' expected.-> +1 | return function")
    assert.truthy(running:err():find "routes/other%.lua: it returns a number")
    assert.equal("one", (running:get "/"))
    assert.equal(404, select(2, running:get "/other"))
    write("routes/index.lua", route "two")
    write("routes/other.lua", route "other")
    running:signal "HUP"
    running:says "the new code serves"
    assert.equal("two", (running:get "/"))
    server.stop(running)
  end)

  it("keeps the old settings when the new ones are not sound", function()
    serve { ["routes/index.lua"] = route "one", ["sprylua.config.lua"] = "return {}" }
    write("routes/index.lua", route "two")
    write("sprylua.config.lua", "return { prot = 80,, }")
    running:signal "HUP"
    running:says "sprylua%.config%.lua:1:.-> +1 | return { prot = 80,, }"
    assert.equal("one", (running:get "/"))
  end)

  it("says which settings take a restart, and takes over the others", function()
    serve {
      ["routes/index.lua"] = "return function(event) return tostring(event.url.path) end",
      ["sprylua.config.lua"] = "return { limits = { requestLine = 100 } }",
    }
    local long = "/" .. ("x"):rep(200)
    assert.equal(414, select(2, running:get(long)))
    write("sprylua.config.lua", "return { host = '::1', workers = 3 }")
    running:signal "HUP"
    running:says "the new code serves"
    assert.truthy(running:err():find("host stays 127.0.0.1: restart the server to make it ::1", 1, true))
    assert.truthy(running:err():find("workers stays 1: restart the server to make it 3", 1, true))
    assert.equal(404, select(2, running:get(long)))
  end)

  it("finds the project behind a link that leads elsewhere by now", function()
    local index = "local word = require 'lib.word' return function() return word end"
    local releases = temp_routes.project {
      ["one/routes/index.lua"] = index, ["one/lib/word.lua"] = "return 'one'",
      ["two/routes/index.lua"] = index, ["two/lib/word.lua"] = "return 'two'",
    }
    assert(uv.fs_symlink(releases .. "/one", releases .. "/now"))
    running = server.serve(releases .. "/now/routes", {})
    assert.equal("one", (running:get "/"))
    for i, word in ipairs { "two", "changed" } do
      uv.fs_unlink(releases .. "/now")
      assert(uv.fs_symlink(releases .. "/two", releases .. "/now"))
      folder = releases
      if word == "changed" then write("two/lib/word.lua", "return 'changed'") end
      running:signal "HUP"
      running:says(("the new code serves.+"):rep(i))
      assert.equal(word, (running:get "/"))
    end
    uv.fs_unlink(releases .. "/now")
  end)

  it("keeps no memory, however often it comes", function()
    local files = { ["routes/index.lua"] = [[
      return function()
        collectgarbage()
        collectgarbage()
        local entries = 0
        for _ in pairs(debug.getregistry()) do entries = entries + 1 end
        return ("%d %d"):format(entries, collectgarbage "count" * 1024)
      end]] }
    for i = 1, 20 do files[("routes/folder%d/index.lua"):format(i)] = route(i) end
    serve(files)
    local function reload(times)
      for _ = 1, times do
        local before = #running:err()
        running:signal "HUP"
        running:wait(function() return running:err():find("the new code serves", before, true) end, "new code")
      end
      local entries, bytes = running:get("/"):match "(%d+) (%d+)"
      return tonumber(entries), tonumber(bytes)
    end
    local entries, bytes = reload(5)
    local more_entries, more_bytes = reload(20)
    assert.is_true(more_entries - entries < 20, ("%d registry entries more"):format(more_entries - entries))
    assert.is_true(more_bytes - bytes < 100000, ("%d bytes more"):format(more_bytes - bytes))
  end)

  it("may come while the server stops", function()
    serve {
      ["routes/index.lua"] = route "one",
      ["hooks.lua"] = "return { onStop = function() io.stderr:write 'stops\\n' require 'sprylua'.sleep(0.2) end }",
    }
    running:signal "TERM"
    running:says "stops\n"
    running:signal "HUP"
    assert.equal(0, running:ended())
    assert.is_nil(running:err():find "the new code serves")
  end)
end)
