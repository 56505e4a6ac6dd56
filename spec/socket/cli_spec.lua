local program = require "spec.support.program"

local hello = [[return function() return "hello" end]]

describe("the command line", function()
  local folder, server

  before_each(function()
    folder, server = program.folder { ["routes/index.lua"] = hello }, nil
  end)

  after_each(function()
    if server then server:cleanup() end
    program.remove(folder)
  end)

  local function run(...)
    return program.run({ ... }, { folder = folder })
  end

  -- serve on a free port
  local function serve(args, opts)
    opts = opts or {}
    opts.folder = folder
    server = program.start({ "serve", "-p", "0", table.unpack(args or {}) }, opts)
    return server
  end

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  it("prints what Lua warns of once that is turned on", function()
    write("routes/index.lua", [[warn "not yet" warn "@on" warn("be", " careful") warn "@off" warn "no more"
      ]] .. hello)
    assert.equal("Lua warning: be careful\n", run("check").err)
  end)

  describe("usage", function()
    it("is shown on stdout when asked for", function()
      local result = run "-h"
      assert.equal(0, result.code)
      assert.equal("", result.err)
      for _, name in ipairs { "serve", "dev", "routes", "check", "test", "new", "version" } do
        assert.truthy(result.out:find("\n   " .. name .. " ", 1, true))
        local own = run(name, "-h")
        assert.equal(0, own.code)
        assert.truthy(own.out:find("^Usage: sprylua " .. name), own.out)
        assert.equal("", own.err)
      end
    end)

    it("is complained about on stderr, with exit code 64", function()
      local wrong = {
        {}, { "nonsense" }, { "serve", "--nonsense" }, { "serve", "a", "b" }, { "serve", "-p" }, { "new" },
        { "routes", "-x" }, { "check", "-x" }, { "version", "x" }, { "serve", "--log", "xml" }, { "serve", "-w", "0" },
        { "serve", "-w", "all" }, { "serve", "-p", "http" }, { "serve", "-p", "65536" }, { "serve", "-H", "a b" },
        { "serve", "--watch=yes" },
      }
      for _, args in ipairs(wrong) do
        local result = run(table.unpack(args))
        assert.equal(64, result.code, table.concat(args, " "))
        assert.equal("", result.out)
        assert.truthy(result.err:find "^sprylua: ", result.err)
      end
    end)

    it("guesses the command that was meant", function()
      assert.truthy(run("srve").err:find("did you mean serve?", 1, true))
    end)

    it("covers the environment", function()
      for name, value in pairs { PORT = "x", SPRYLUA_PORT = "70000", SPRYLUA_LOG = "xml", SPRYLUA_WORKERS = "0" } do
        local result = program.run({ "serve" }, { folder = folder, env = { [name] = value } })
        assert.equal(64, result.code)
        assert.truthy(result.err:find(name, 1, true), result.err)
      end
    end)
  end)

  it("tells its version", function()
    local result = run "version"
    assert.equal(0, result.code)
    assert.truthy(result.out:find "^sprylua %d+%.%d+%.%d+ %(Lua 5%.4")
    assert.equal(result.out, run("--version").out)
  end)

  describe("routes", function()
    it("prints the table", function()
      write("routes/about.get.lua", hello)
      local result = run "routes"
      assert.equal("", result.err)
      assert.equal(0, result.code)
      assert.truthy(result.out:find "ANY +/ +%S*routes/index%.lua\n", result.out)
      assert.truthy(result.out:find "GET +/about +%S*routes/about%.get%.lua\n", result.out)
    end)

    it("prints JSON", function()
      write("routes/about.get.lua", hello)
      local result = run("routes", "--json")
      assert.equal(0, result.code)
      local list = require("sprylua.json").decode(result.out)
      assert.equal(2, #list)
      local methods = {}
      for _, route in ipairs(list) do methods[route.path] = route.method or "every" end
      assert.same({ ["/"] = "every", ["/about"] = "GET" }, methods)
    end)

    it("takes a folder with a slash at its end, and one elsewhere", function()
      assert.equal(0, run("routes", "routes/").code)
      assert.equal(0, program.run { "routes", folder .. "/routes" }.code)
    end)
  end)

  describe("check", function()
    it("says ok", function()
      local result = run "check"
      assert.equal(0, result.code)
      assert.equal("ok: 1 route in routes\n", result.out)
    end)

    it("lists every problem, by file name, and exits with 65", function()
      write("routes/broken.lua", "return function(")
      write("routes/empty.lua", "")
      for _, command in ipairs { "check", "routes", "serve" } do
        local result = run(command)
        assert.equal(65, result.code)
        assert.truthy(result.err:find("broken.lua", 1, true), result.err)
        assert.truthy(result.err:find("empty.lua", 1, true), result.err)
      end
    end)

    it("lists what is wrong with the config and with the routes", function()
      write("sprylua.config.lua", "return { prot = 1 }")
      write("routes/broken.lua", "return function(")
      local result = run "check"
      assert.equal(65, result.code)
      assert.truthy(result.err:find("unknown key prot", 1, true), result.err)
      assert.truthy(result.err:find("broken.lua", 1, true), result.err)
    end)

    it("wants a folder", function()
      local result = run("check", "nosuch")
      assert.equal(65, result.code)
      assert.truthy(result.err:find "there is no folder nosuch")
    end)

    it("reads the config file beside the routes, or the one that is named", function()
      write("sprylua.config.lua", "return { limits = { bdoy = 1 } }")
      local result = run "check"
      assert.equal(65, result.code)
      assert.truthy(result.err:find("sprylua.config.lua: unknown key limits.bdoy (did you mean limits.body?)", 1, true))
      write("other.lua", "return {}")
      assert.equal(0, run("check", "-c", "other.lua").code)
      assert.equal(0, program.run({ "check" }, { folder = folder, env = { SPRYLUA_CONFIG = "other.lua" } }).code)
      assert.equal(65, run("check", "-c", "nosuch.lua").code)
    end)
  end)

  describe("new", function()
    it("makes a project that passes its own spec", function()
      local result = run("new", "deep/chat")
      assert.equal(0, result.code, result.err)
      local project = folder .. "/deep/chat"
      assert.equal("ok: 2 routes in routes\n", program.run({ "check" }, { folder = project }).out)
      local specs = program.run({ "test", "-o", "plainTerminal" }, { folder = project })
      assert.equal(0, specs.code, specs.out .. specs.err)
      assert.truthy(specs.out:find "2 successes / 0 failures / 0 errors")
    end)

    it("overwrites nothing", function()
      assert.equal(0, run("new", "chat").code)
      local result = run("new", "chat")
      assert.equal(64, result.code)
      assert.truthy(result.err:find "chat is there already")
    end)

    it("wants a name", function()
      for _, name in ipairs { "", ".", "..", "/", "//", "chat/..", "12", "./" } do
        local result = run("new", name)
        assert.equal(64, result.code, name)
        assert.truthy(result.err:find("is no name for a project", 1, true), result.err)
        assert.equal("", result.out)
      end
    end)
  end)

  describe("test", function()
    it("ends with 1 when a spec fails, and hands on arguments", function()
      assert.equal(0, run("new", "p").code)
      folder, server = folder .. "/p", nil
      write("spec/bad_spec.lua", [[it("fails", function() error "on purpose" end)]])
      assert.equal(1, run("test").code)
      assert.equal(0, run("test", "spec/chat_spec.lua").code)
      assert.equal(0, run("test", "--filter", "echoes").code)
      assert.equal(1, run("test", "--nonsense").code)
      folder = folder:match "^(.*)/p$"
    end)

    it("moves the testing clock where a spec itself waits", function()
      write("spec_waits.lua", [[
        local spry, testing = require "sprylua", require "sprylua.testing"
        testing.app "routes"
        it("sleeps", function() spry.sleep(5) spry.sleep(100) end)
        it("asks meanwhile", function()
          local app = testing.app "routes"
          spry.sleep(7200)
          assert.equal("hello", app:get("/").body)
        end)
      ]])
      local result = run("test", "-o", "plainTerminal", "spec_waits.lua")
      assert.equal(0, result.code, result.out .. result.err)
      assert.truthy(result.out:find "2 successes / 0 failures / 0 errors")
    end)

    it("names the spec that waits for nothing", function()
      write("spec_stuck.lua", [[
        require("sprylua.testing").app "routes"
        describe("the end", function() it("never comes", function() coroutine.yield() end) end)
      ]])
      local result = run("test", "spec_stuck.lua")
      assert.equal(1, result.code)
      assert.truthy(result.err:find("the end never comes\" waits for something that will never come", 1, true),
        result.err)
    end)
  end)

  describe("serve", function()
    it("tells where, what, and the real port", function()
      write("sprylua.config.lua", "return {}")
      serve()
      assert.truthy(server.port > 0)
      assert.equal("http://127.0.0.1:" .. server.port .. "/", server.url)
      assert.truthy(server:err():find "ANY +/ +%S*routes/index.lua")
      assert.truthy(server:err():find("with sprylua.config.lua", 1, true))
      local body, status = server:get "/"
      assert.equal("hello", body)
      assert.equal(200, status)
    end)

    it("says what to do when the port is taken, with exit code 69", function()
      serve()
      local result = run("serve", "-p", tostring(server.port))
      assert.equal(69, result.code)
      assert.truthy(result.err:find("port " .. server.port .. ": another program has that port", 1, true), result.err)
    end)

    it("says so when the machine has no such address", function()
      local result = run("serve", "-H", "192.0.2.1", "-p", "0")
      assert.equal(69, result.code)
      assert.truthy(result.err:find "no such address", result.err)
    end)

    for _, name in ipairs { "TERM", "INT" } do
      it("ends with 0 on " .. name, function()
        serve()
        server:signal(name)
        assert.equal(0, server:ended())
      end)
    end

    describe("access log", function()
      local function lines_of(...)
        serve { ... }
        server:get "/a?b=c"
        server:signal "TERM"
        server:ended()
        return server:out()
      end

      it("is text, without colour when it is no terminal", function()
        local out = lines_of()
        assert.truthy(out:find "^%d%d:%d%d:%d%d 404 GET /a%?b=c [%d.]+ms %d+ 127%.0%.0%.1\n$", out)
      end)

      it("is JSON", function()
        local out = lines_of("--log", "json")
        local record = require("sprylua.json").decode(out)
        assert.equal("/a?b=c", record.path)
        assert.equal("GET", record.method)
        assert.equal(404, record.status)
        assert.equal("127.0.0.1", record.remoteAddress)
        assert.equal("float", math.type(record.seconds))
      end)

      it("is off", function()
        assert.equal("", lines_of("--log", "none"))
      end)
    end)

    it("takes its port from the environment, and the flag before that", function()
      local options = { folder = folder, env = { SPRYLUA_PORT = "0", PORT = "1" } }
      server = program.start({ "serve" }, options)
      assert.truthy(server.port > 1)
      server:cleanup()
      options.env = { SPRYLUA_PORT = "1" }
      server = program.start({ "serve", "-p", "0" }, options)
      assert.truthy(server.port > 1)
    end)

    describe("hooks", function()
      it("run round the server's life, and may wait", function()
        write("hooks.lua", [[
          local spry = require "sprylua"
          return {
            onStart = function() spry.sleep(0.05) io.stderr:write "onStart\n" end,
            onStop = function() spry.sleep(0.05) io.stderr:write "onStop\n" end,
          }]])
        serve()
        assert.truthy(server:err():find "onStart.*listens on")
        assert.truthy(server:err():find("with hooks.lua", 1, true))
        server:signal "TERM"
        assert.equal(0, server:ended())
        assert.truthy(server:err():find "listens on.*onStop\n")
      end)

      it("that fail at the start end it, also after a wait", function()
        for _, wait in ipairs { "", "spry.sleep(0.02) spry.every(60, print)" } do
          write("hooks.lua", ([[
            local spry = require "sprylua"
            return { onStart = function() %s error "no database" end }]]):format(wait))
          local result = run("serve", "-p", "0")
          assert.equal(1, result.code, result.err)
          assert.truthy(result.err:find "onStart raised: .*no database")
          assert.is_nil(result.err:find "listens on")
        end
      end)

      it("that never return do not keep it: a second signal, and the time limit", function()
        write("hooks.lua", [[
          return { onStop = function() io.stderr:write "onStop\n" while true do require "sprylua".sleep(60) end end }]])
        serve()
        server:signal "TERM"
        server:says "onStop"
        server:signal "TERM"
        assert.equal(0, server:ended())
        server:cleanup()
        write("sprylua.config.lua", "return { shutdownTimeout = 0.2 }")
        serve()
        server:signal "TERM"
        assert.equal(0, server:ended())
      end)
    end)

    it("keeps the text of errors to itself, and dev shows it", function()
      write("routes/bad.lua", [[return function() error "secret detail" end]])
      serve()
      local body, status = server:get "/bad"
      assert.equal(500, status)
      assert.is_nil(body:find "secret detail")
      assert.truthy(server:err():find "secret detail")
      server:cleanup()
      server = program.start({ "dev", "-p", "0" }, { folder = folder })
      body, status = server:get "/bad"
      assert.equal(500, status)
      assert.truthy(body:find "secret detail")
    end)
  end)
end)
