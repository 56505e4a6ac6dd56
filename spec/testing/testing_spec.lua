local clock = require "sprylua.clock"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

local Response = spry.Response

describe("testing.app", function()
  it("sends what it is told to", function()
    local app <close> = temp_routes.app {
      ["echo.lua"] = function(event)
        return {
          method = event.method, path = event.path, body = event.request:text(),
          type = event.headers:get "content-type", length = event.headers:get "content-length",
          host = event.headers:get "host", x = event.headers:getAll "x-list",
        }
      end,
    }
    local res = app:get("/echo?a=1", { headers = { ["X-List"] = { "1", "2" } } })
    assert.equal(200, res.status)
    assert.same({ method = "GET", path = "/echo?a=1", body = "", host = "localhost", x = { "1", "2" } }, res:json())
    res = app:post("/echo", { json = { 1, 2 } }):json()
    assert.same({ "[1,2]", "application/json", "5" }, { res.body, res.type, res.length })
    res = app:put("/echo", { form = { a = "x y" } }):json()
    assert.same({ "a=x+y", "application/x-www-form-urlencoded" }, { res.body, res.type })
    assert.equal("raw", app:patch("/echo", { body = "raw" }):json().body)
    assert.equal("DELETE", app:delete("/echo"):json().method)
    assert.equal("", app:head("/echo").body)
    assert.equal("PUT", app:request("PUT", "/echo"):json().method)
    assert.is_string(app:options("/echo").headers:get "allow" or "none")
  end)

  it("raises where the spec stands", function()
    local app <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    local function line(fn, ...)
      local ok, message = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches("testing_spec.lua:%d+:", message)
    end
    line(function() app:get "no slash but a space" end)
    line(function() app:post("/", { body = "", json = {} }) end)
    line(function() app:get("/"):json() end)
    line(function() testing.app "no/such/folder" end)
    line(function() testing.app("routes", { config = { limits = { bodi = 1 } } }) end)
    line(function() testing.event { pathname = "/" } end)
    line(function() app.clock:advance(-1) end)
  end)

  it("knows its options, and says which", function()
    local app <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    for sentence, fn in pairs {
      ["request has no option header; it takes headers, body, json, form, stream"] = function()
        app:get("/", { header = {} })
      end,
      ["request has no option josn"] = function() app:request("POST", "/", { josn = {} }) end,
      ["app:ws has no option protocol; it takes protocols"] = function() app:ws("/", { protocol = "x" }) end,
      ["the options of app:ws are a table, not a string"] = function() app:ws("/", "chat") end,
      ["testing.app has no option ws; it takes config"] = function() testing.app("routes", { ws = true }) end,
      ["testing.event has no option pathname; it takes method"] = function() testing.event { pathname = "/" } end,
      ["ws of testing.event has no option protocols"] = function() testing.event { ws = { protocols = {} } } end,
    } do
      local ok, message = pcall(fn)
      assert.is_false(ok)
      assert.truthy(message:find(sentence, 1, true), message)
      assert.matches("^[^:]*testing_spec.lua:%d+: ", message)
    end
  end)

  it("lists everything that is wrong with the routes", function()
    local ok, message = pcall(temp_routes.app, { ["a.lua"] = "return (", ["b.lua"] = "return 1" })
    assert.is_false(ok)
    assert.matches("a.lua", message)
    assert.matches("b.lua", message)
  end)

  it("takes no time for a handler that sleeps", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        spry.sleep(10)
        spry.sleep(10)
        return "rested"
      end,
    }
    local real, before = os.time(), app.clock.now()
    assert.equal("rested", app:get("/").body)
    assert.equal(20, app.clock.now() - before)
    assert.is_true(os.time() - real <= 2)
  end)

  it("says that no answer came", function()
    local app <close> = temp_routes.app({
      ["index.lua"] = function() return Response.stream(function() spry.sleep(1000) end) end,
    })
    local ok, message = pcall(app.get, app, "/")
    assert.is_false(ok)
    assert.matches("GET /: no complete answer within 120 simulated seconds", message)
  end)

  it("keeps what the server says in its log", function()
    local app <close> = temp_routes.app { ["index.lua"] = function() error "trouble" end }
    assert.equal(500, app:get("/").status)
    assert.equal(1, #app.log)
    assert.matches("GET /.*trouble", app.log[1])
    testing.reset()
    assert.same({}, app.log)
  end)

  it("shows errors to the client in dev mode only", function()
    local files = { ["index.lua"] = function() error "secret trouble" end }
    local app <close> = temp_routes.app(files)
    assert.is_nil(app:get("/").body:find "secret")
    local dev <close> = temp_routes.app(files, { dev = true })
    assert.matches("secret", dev:get("/").body)
  end)

  it("can read a body that never ends", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        return Response.events(function(send)
          for i = 1, 1000 do
            if not send("tick " .. i) then return end
            spry.sleep(5)
          end
        end)
      end,
    }
    local res = app:get("/", { stream = true })
    assert.equal("text/event-stream", res.headers:get "content-type")
    assert.equal("data: tick 1\n\n", res:receive())
    assert.same({ nil, "timeout" }, { res:receive(4) })
    assert.equal("data: tick 2\n\n", res:receive(2))
    res:hangup()
  end)

  it("reads a stream to its end", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        return Response.stream(function(write)
          write "a"
          spry.sleep(0.5)
          write "b"
        end)
      end,
    }
    assert.equal("ab", app:get("/").body)
    local res = app:get("/", { stream = true })
    assert.equal("a", res:receive())
    assert.equal("b", res:receive())
    assert.is_nil(res:receive())
  end)

  it("cannot be used after its close, which may be said twice", function()
    local app = temp_routes.app { ["index.lua"] = function() return "x" end }
    app:close()
    app:close()
    assert.is_false(pcall(app.get, app, "/"))
    assert.is_false(pcall(app.ws, app, "/"))
    assert.is_false(pcall(app.connect, app))
  end)

  it("shares its clock with the routes and other apps", function()
    local fired = {}
    local app <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    local other <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    spry.after(3, function() fired[#fired + 1] = clock.now() end)
    local before = other.clock.now()
    app.clock:advance(2)
    assert.same({}, fired)
    other.clock:advance(2)
    assert.same({ before + 3 }, fired)
  end)

  it("uses the config it is given", function()
    local app <close> = temp_routes.app({
      ["index.lua"] = function(event) return tostring(#event.request:text()) end,
    }, { config = { limits = { body = 10 } } })
    assert.equal("10", app:post("/", { body = ("x"):rep(10) }).body)
    assert.equal(413, app:post("/", { body = ("x"):rep(11) }).status)
  end)
end)

describe("testing.event", function()
  it("is a GET / by default", function()
    local event = testing.event()
    assert.equal("GET", event.method)
    assert.equal("/", event.pathname)
    assert.is_true(event.ws.isSupported)
    assert.is_false(event.ws.isUpgradeRequest)
    assert.same({}, event.ws.requestedProtocols)
  end)

  it("has what it is given", function()
    local event = testing.event {
      method = "POST", path = "/users/42", headers = { Accept = "text/html", Cookie = "a=1" },
      query = { q = "x y", list = { "1", "2" } }, params = { id = "42" }, json = { name = "Ann" },
    }
    assert.equal("POST", event.method)
    assert.equal("/users/42", event.pathname)
    assert.equal("text/html", event.headers:get "accept")
    assert.equal("1", event.cookies:get "a")
    assert.equal("x y", event.query:get "q")
    assert.same({ "1", "2" }, event.query:getAll "list")
    assert.equal("42", event.params.id)
    assert.equal(42, event.params:int "id")
    assert.equal("Ann", event.request:json().name)
  end)

  it("WebSocket upgrade works", function()
    local event = testing.event {
      path = "/chat", ws = { isSupported = true, isUpgradeRequest = true, requestedProtocols = { "a", "b" } },
    }
    assert.is_true(event.ws.isUpgradeRequest)
    assert.is_true(event.ws.isSupported)
    assert.same({ "a", "b" }, event.ws.requestedProtocols)
    local response = event.ws:upgrade(function() end, { protocol = "b" })
    assert.equal(101, response.status)
    assert.is_function(response.headers.get)
  end)

  it("refuses as a real request does", function()
    local function status(spec, opts)
      local event = testing.event(spec)
      local ok, err = pcall(event.ws.upgrade, event.ws, print, opts)
      return ok and 101 or err.status
    end
    assert.equal(426, status {})
    assert.equal(501, status { ws = { isSupported = false, isUpgradeRequest = true } })
    assert.equal(405, status { method = "POST", ws = { isUpgradeRequest = true } })
    assert.equal(403, status { ws = { isUpgradeRequest = true, origin = "http://evil.example" } })
    assert.equal(400, status({ ws = { isUpgradeRequest = true } }, { protocol = "x", requireProtocol = true }))
    assert.equal(101, status({ ws = { isUpgradeRequest = true } }, { protocol = "x" }))
    assert.equal(101, status({ ws = { isUpgradeRequest = true, requestedProtocols = { "x" } } },
      { protocol = "x", requireProtocol = true }))
  end)

  it("may be had many times, and is dead after the spec", function()
    local events = {}
    for i = 1, 20 do events[i] = testing.event { path = "/" .. i } end
    for i = 1, 20 do assert.equal("/" .. i, events[i].pathname) end
    testing.reset()
    for i = 1, 20 do assert.is_false(pcall(function() return events[i].pathname end)) end
  end)

  it("says when the server itself would refuse the request", function()
    local ok, message = pcall(testing.event, { path = "/%zz" })
    assert.is_false(ok)
    assert.matches("400", message)
  end)
end)

describe("testing.run", function()
  it("lets a function wait", function()
    local before = testing.run(function() return clock.now() end)
    local a, b = testing.run(function(x, y)
      spry.sleep(30)
      return x, y
    end, 1, nil)
    assert.equal(1, a)
    assert.is_nil(b)
    assert.is_true(clock.now() >= before + 30)
  end)

  it("passes errors on, and gives up", function()
    local ok, message = pcall(testing.run, function()
      spry.sleep(1)
      error "inside"
    end)
    assert.is_false(ok)
    assert.matches("inside", message)
    ok, message = pcall(testing.run, function() coroutine.yield() end)
    assert.is_false(ok)
    assert.matches("did not return", message)
    local thing = {}
    ok, message = pcall(testing.run, function() error(thing) end)
    assert.is_false(ok)
    assert.equal(thing, message)
  end)
end)
