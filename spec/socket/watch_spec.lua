-- A server that takes over what changes in its project: from the next request on, without dropping anybody.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local running, folder

after_each(function()
  if running then running:cleanup() end
  running = nil
end)

teardown(temp_routes.clean)

local function text(value)
  return ("return function() return %q end"):format(value)
end

local SESSION = [[
  return function(event)
    return event.ws:upgrade(function(ws)
      ws:sendText "VERSION"
      for kind in ws.events do
        if kind == "text" then ws:sendText "VERSION again" end
      end
    end)
  end]]

local function session(version) return (SESSION:gsub("VERSION", version)) end

local function save(name, content) temp_routes.save(folder, name, content) end

local function overwrite(name, content) temp_routes.write(folder, name, content) end

local function make_folder(name)
  assert(uv.fs_mkdir(folder .. "/" .. name, 493)) -- rwxr-xr-x
end

local function remove(name)
  assert(os.remove(folder .. "/" .. name))
end

local function serve(files, arguments)
  folder = temp_routes.project(files)
  running = server.serve(folder .. "/routes", { arguments = arguments or { "--watch" } })
end

-- The first word of the command line decides, and server.serve says `serve`.
local function dev(files)
  folder = temp_routes.project(files)
  running = require("spec.support.program").start { "dev", folder .. "/routes", "-p", "0" }
end

local function becomes(path, wanted)
  return running:wait(function()
    local body, status = running:get(path)
    return (body == wanted or status == wanted) and body
  end, ("%s to answer %s"):format(path, wanted))
end

local function open_session()
  local client = server.session(running, "/session")
  return client, client:frame().payload
end

describe("a server that watches", function()
  it("takes over a route that is changed, saved in either way", function()
    serve { ["routes/index.lua"] = text "one" }
    assert.equal("one", (running:get "/"))
    save("routes/index.lua", text "two")
    becomes("/", "two")
    overwrite("routes/index.lua", text "three")
    becomes("/", "three")
    server.stop(running)
  end)

  it("takes over a route that is new, and one that is gone", function()
    serve { ["routes/index.lua"] = text "one" }
    save("routes/new.lua", text "new")
    becomes("/new", "new")
    remove "routes/new.lua"
    becomes("/new", 404)
    assert.equal("one", (running:get "/"))
  end)

  it("takes over a folder that is new, and what changes in it later", function()
    serve { ["routes/index.lua"] = text "one" }
    make_folder "routes/a"
    make_folder "routes/a/b"
    save("routes/a/b/c.lua", text "deep")
    becomes("/a/b/c", "deep")
    save("routes/a/b/c.lua", text "deeper")
    becomes("/a/b/c", "deeper")
    remove "routes/a/b/c.lua"
    uv.fs_rmdir(folder .. "/routes/a/b")
    becomes("/a/b/c", 404)
    make_folder "routes/a/b"
    save("routes/a/b/c.lua", text "again")
    becomes("/a/b/c", "again")
  end)

  it("takes over middleware, views, files of public/ and hooks, also in folders that are new", function()
    serve {
      ["routes/index.lua"] = [[
        local spry = require "sprylua"
        return function(event) return spry.render("page", { by = event.locals.by or "nobody" }) end]],
      ["views/page.html"] = "one <%= by %>",
    }
    becomes("/", "one nobody")
    save("views/page.html", "two <%= by %>")
    becomes("/", "two nobody")
    make_folder "middleware"
    save("middleware/10_by.lua", [[
      return function(event, next)
        event.locals.by = "middleware"
        return next()
      end]])
    becomes("/", "two middleware")
    make_folder "public"
    save("public/x.txt", "a file")
    becomes("/x.txt", "a file")
    save("hooks.lua", "return { onStop = function() io.stderr:write 'the new hook\\n' end }")
    running:says "the new code serves.+the new code serves.+the new code serves.+the new code serves"
    running:signal "TERM"
    assert.equal(0, running:ended())
    assert.truthy(running:err():find "the new hook")
  end)

  it("loads the project's modules afresh, and no others", function()
    serve {
      ["routes/index.lua"] = [[
        local words, spry = require "lib.words", require "sprylua"
        package.loaded.kept = package.loaded.kept or spry
        return function() return words.greeting .. (package.loaded.kept == spry and " kept" or " lost") end]],
      ["lib/words.lua"] = "return { greeting = 'hello' }",
    }
    assert.equal("hello kept", (running:get "/"))
    save("lib/words.lua", "return { greeting = 'good day' }")
    becomes("/", "good day kept")
    save("lib/words.lua", "return { greeting = = }")
    running:says "lib/words%.lua:1:"
    assert.equal("good day kept", (running:get "/"))
    save("lib/words.lua", "return { greeting = 'mended' }")
    becomes("/", "mended kept")
  end)

  it("waits for a module that is missing", function()
    serve { ["routes/index.lua"] = text "one" }
    save("routes/index.lua", "local words = require 'lib.de.words'\nreturn function() return words end")
    running:says "module 'lib%.de%.words' not found"
    assert.equal("one", (running:get "/"))
    make_folder "lib"
    running:says "not found.+not found"
    make_folder "lib/de"
    save("lib/de/words.lua", "return 'found'")
    becomes("/", "found")
  end)

  it("keeps the last good version of a file that is broken, and shows the line", function()
    serve { ["routes/index.lua"] = text "one" }
    save("routes/index.lua", "local a = 1\nlocal b = = 2\nreturn a")
    running:says "routes/index%.lua:2: unexpected symbol near '='\n +1 | local a = 1\n> +2 | local b = = 2\n"
    assert.equal("one", (running:get "/"))
    save("routes/index.lua", text "mended")
    becomes("/", "mended")
  end)

  it("takes over settings, and says which of them take a restart", function()
    serve {
      ["routes/index.lua"] = "return function(event) return #event.request:text() .. '' end",
      ["sprylua.config.lua"] = "return { limits = { body = 10 } }",
    }
    local function post(bytes) return server.post(running, "/", ("x"):rep(bytes)).status end
    assert.equal(413, post(20))
    save("sprylua.config.lua", "return { host = '127.0.0.2', limits = { body = 30 } }")
    running:says "host stays 127%.0%.0%.1: restart the server to make it 127%.0%.0%.2"
    running:wait(function() return post(20) == 200 end, "a larger body")
    save("sprylua.config.lua", "return { limits = { bodi = 30 } }")
    running:says "unknown key limits%.bodi"
    assert.equal(200, post(20))
  end)

  it("leaves a session that is open with the old code, and gives the new code to others", function()
    serve { ["routes/session.lua"] = session "one", ["routes/index.lua"] = text "one" }
    local old <close>, greeting = open_session()
    assert.equal("one", greeting)
    save("routes/session.lua", session "two")
    running:says "the new code serves"
    local new <close>, other = open_session()
    assert.equal("two", other)
    for client, version in pairs { [old] = "one", [new] = "two" } do
      client:sendFrame { opcode = 1, payload = "?" }
      assert.equal(version .. " again", client:frame().payload)
    end
    remove "routes/session.lua"
    becomes("/session", 404)
    old:sendFrame { opcode = 1, payload = "?" }
    assert.equal("one again", old:frame().payload)
    old:close()
    new:close()
    server.stop(running)
  end)

  it("lets a request that runs end with the old code; the next one of its connection gets the new", function()
    serve { ["routes/index.lua"] = [[
      local spry = require "sprylua"
      return function(event)
        if event.query:get "wait" then
          repeat spry.sleep(0.01) until package.loaded.go
        end
        return "one"
      end]] }
    local idle <close> = server.connect(running.port)
    local busy <close> = server.connect(running.port)
    idle:send "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("one", idle:answer().body)
    busy:send "GET /?wait=1 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
    becomes("/", "one")
    save("routes/index.lua", [[
      return function(event)
        if event.query:get "go" then package.loaded.go = true end
        return "two"
      end]])
    becomes("/", "two")
    idle:send "GET /?go=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("two", idle:answer().body)
    assert.equal("one", busy:answer().body)
    assert.equal("two", busy:answer().body)
    server.stop(running)
  end)

  it("lets old code be collected when its last connection is gone, and the timers of its files end", function()
    local generation = [[
      local spry = require "sprylua"
      package.loaded.generations = package.loaded.generations or setmetatable({}, { __mode = "k" })
      local generations, ticks = package.loaded.generations, 0
      local mine = {}
      generations[mine] = true
      spry.every(0.001, function() mine.ticks = (mine.ticks or 0) + 1 end)
      return function(event)
        if event.ws.isUpgradeRequest then
          return event.ws:upgrade(function(ws)
            ws:sendText(tostring(mine ~= nil))
            ws.events:drain()
          end)
        end
        collectgarbage()
        collectgarbage()
        local count = 0
        for _ in pairs(generations) do count = count + 1 end
        return count .. " of VERSION"
      end]]
    local function version(n) return (generation:gsub("VERSION", n)) end
    serve { ["routes/session.lua"] = version "1" }
    local idle <close> = server.connect(running.port)
    idle:send "GET /session HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("1 of 1", idle:answer().body)
    local old = open_session()
    save("routes/session.lua", version "2")
    becomes("/session", "2 of 2")
    save("routes/session.lua", version "3")
    becomes("/session", "2 of 3") -- the one of the session, and this one
    old:close()
    becomes("/session", "1 of 3")
    server.stop(running)
  end)

  it("takes over a file that is saved after it was read, before the watch begins", function()
    serve { ["routes/index.lua"] = [[
      local path = debug.getinfo(1, "S").source:sub(2)
      local file = io.open(path, "w")
      file:write "return function() return 'two' end"
      file:close()
      return function() return "one" end]] }
    becomes("/", "two")
  end)

  it("says which files have changed", function()
    serve { ["routes/index.lua"] = text "one", ["routes/other.lua"] = text "other" }
    save("routes/index.lua", text "two")
    running:says "info: routes/index%.lua changed: the new code serves"
    save("routes/index.lua", "return")
    save("routes/other.lua", text "two")
    running:says "error: routes/index%.lua, routes/other%.lua changed: the project does not load;"
  end)

  it("leaves modules as they are when files come that are no code", function()
    serve {
      ["routes/index.lua"] = [[
        local loads = require "lib.loads"
        return function(event) return tostring(loads) end]],
      ["lib/loads.lua"] = "package.loaded.loads = (package.loaded.loads or 0) + 1 return package.loaded.loads",
      ["public/a.txt"] = "a", ["views/page.html"] = "",
    }
    local names = { "routes/notes.txt", "lib/words.txt", "public/upload.txt", "public/b/c.txt", "views/x.txt" }
    for _, name in ipairs(names) do overwrite(name, "words") end
    assert.equal("words", (running:get "/upload.txt"))
    assert.equal("words", (running:get "/b/c.txt"))
    save("lib/loads.lua", "return (package.loaded.loads or 0) .. ' and this one'")
    becomes("/", "1 and this one")
    assert.equal(1, select(2, running:err():gsub("the new code serves", "")))
  end)

  it("takes over what a link in routes/ leads to", function()
    local elsewhere = temp_routes.project { ["one.lua"] = text "one" }
    folder = temp_routes.project {}
    assert(uv.fs_symlink(elsewhere .. "/one.lua", folder .. "/routes/index.lua"))
    running = server.serve(folder .. "/routes", { arguments = { "--watch" } })
    folder = elsewhere
    overwrite("one.lua", text "two")
    becomes("/", "two")
    save("one.lua", text "three")
    becomes("/", "three")
  end)

  it("goes on when the whole project is replaced", function()
    local place = temp_routes.project { ["now/routes/index.lua"] = text "one", ["next/routes/index.lua"] = text "two" }
    running = server.serve(place .. "/now/routes", { arguments = { "--watch" } })
    assert.equal("one", (running:get "/"))
    assert(os.rename(place .. "/now", place .. "/before"))
    assert(os.rename(place .. "/next", place .. "/now"))
    becomes("/", "two")
    folder = place
    save("now/routes/index.lua", text "three")
    becomes("/", "three")
  end)

  it("says so when it stays in a folder that was replaced", function()
    local place = temp_routes.project { ["now/routes/index.lua"] = text "one", ["next/routes/index.lua"] = text "two" }
    running = server.serve("routes", { arguments = { "--watch" }, folder = place .. "/now" })
    assert(os.rename(place .. "/now", place .. "/before"))
    assert(os.rename(place .. "/next", place .. "/now"))
    running:says "now/routes is another folder by now, and the server reads the one it was started in: restart it there"
    assert.equal("one", (running:get "/"))
  end)

  it("does so in each of several workers", function()
    serve({ ["routes/index.lua"] = text "one" }, { "-w", "2", "--watch" })
    save("routes/index.lua", text "two")
    local in_a_row = 0
    running:wait(function()
      in_a_row = running:get "/" == "two" and in_a_row + 1 or 0
      return in_a_row == 20
    end, "the new code everywhere")
    server.stop(running)
  end)
end)

describe("dev", function()
  it("watches, and tells every request what is broken until it is mended", function()
    dev { ["routes/index.lua"] = text "one", ["routes/session.lua"] = session "one" }
    local old <close> = open_session()
    save("routes/index.lua", "local a = 1\nerror 'on purpose'\n")
    local page = running:wait(function()
      local body, status = running:get "/session"
      return status == 500 and body
    end, "an error page")
    assert.truthy(page:find "routes/index%.lua: it raised an error while it was loaded: .*on purpose")
    assert.truthy(page:find("> +2 | error 'on purpose'"))
    local client <close> = server.connect(running.port)
    client:send "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    assert.matches('http%-equiv="refresh".*<mark>&gt;    2 | error &#39;on purpose&#39;</mark>', client:answer().body)
    assert.is_nil(running:out():find " 500 ")
    old:sendFrame { opcode = 1, payload = "?" }
    assert.equal("one again", old:frame().payload)
    save("routes/index.lua", text "mended")
    becomes("/", "mended")
    local new <close>, greeting = open_session()
    assert.equal("one", greeting)
    assert.is_false(new.ended)
    old:close()
    new:close()
    server.stop(running)
  end)
end)
