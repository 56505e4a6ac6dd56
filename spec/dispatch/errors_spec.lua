local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("errors", function()
  it("that are HTTPErrors become their response", function()
    local app <close> = temp_routes.app {
      ["a.lua"] = function()
        error(spry.HTTPError(401, { body = { error = "Unauthorized" }, headers = { ["www-authenticate"] = "Bearer" } }))
      end,
      ["b.lua"] = function() error(spry.NotFoundError "no such user") end,
      ["c.lua"] = function() error(spry.HTTPError(503, { message = "come back later" })) end,
    }
    local res = app:get "/a"
    assert.equal(401, res.status)
    assert.same({ error = "Unauthorized" }, res:json())
    assert.equal("Bearer", res.headers:get "www-authenticate")
    assert.equal("no such user", app:get("/b").body)
    assert.same({}, app.log)
    assert.equal(503, app:get("/c").status)
    assert.matches("GET /c: come back later", app.log[1])
  end)

  it("of Lua are a plain 500, with the text in the log", function()
    local app <close> = temp_routes.app { ["a.lua"] = function() error "secret detail" end }
    local res = app:get "/a?x=1"
    assert.equal(500, res.status)
    assert.equal("Internal Server Error", res.body)
    assert.equal(1, #app.log)
    assert.matches("GET /a%?x=1: .*secret detail", app.log[1])
    assert.matches("stack traceback", app.log[1])
  end)

  it("show their text in dev mode", function()
    local app <close> = temp_routes.app({ ["a.lua"] = function() error "secret detail" end }, { dev = true })
    local res = app:get "/a"
    assert.equal(500, res.status)
    assert.matches("secret detail", res.body)
    assert.matches("stack traceback", res.body)
  end)

  it("of a bare route find its own error files", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function(err) return spry.Response.text("root " .. err.status, { status = err.status }) end,
      ["a/_error.lua"] = function(err)
        if err.status == 404 then
          return spry.Response.text("a " .. err.message, { status = 410 })
        end
      end,
      ["a/x.lua"] = function(event)
        if event.query:has "lua" then
          error "broken"
        end
        error(spry.NotFoundError "gone")
      end,
      ["b.lua"] = function() error(spry.HTTPError(409)) end,
    }
    local res = app:get "/a/x"
    assert.equal(410, res.status)
    assert.equal("a gone", res.body)
    assert.equal("root 500", app:get("/a/x?lua").body)
    assert.equal("root 409", app:get("/b").body)
    assert.equal("root 404", app:get("/none").body)
    assert.equal("a Not Found", app:get("/a/none").body)
  end)

  it("of a 405 keep Allow through an error file", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function(err) return { error = err.message } end,
      ["a.get.lua"] = function() return "x" end,
    }
    local res = app:post "/a"
    assert.equal(405, res.status)
    assert.matches("GET", res.headers:get "allow")
    assert.same({ error = "Method Not Allowed" }, res:json())
  end)

  it("of a method find that method's error file first", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function() return "general" end,
      ["_error.post.lua"] = function() return "post" end,
      ["a.lua"] = function() error(spry.HTTPError(400)) end,
    }
    assert.equal("general", app:get("/a").body)
    assert.equal("post", app:post("/a").body)
  end)

  it("in a middleware pass the error file of its folder", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function(err) return spry.Response.text("root: " .. err.message, { status = err.status }) end,
      ["a/_middleware.lua"] = function() error(spry.HTTPError(401, { message = "who?" })) end,
      ["a/x.lua"] = function() return "never" end,
      ["a/b/_error.lua"] = function() return "deeper, not asked" end,
      ["a/b/y.lua"] = function() return "never" end,
    }
    assert.equal("root: who?", app:get("/a/x").body)
    assert.equal("root: who?", app:get("/a/b/y").body)
  end)

  it("raised by an error file go outward", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function(err) return spry.Response.text("root: " .. err.message, { status = err.status }) end,
      ["a/_error.lua"] = function() error(spry.HTTPError(418, { message = "worse" })) end,
      ["a/x.lua"] = function() error(spry.HTTPError(400)) end,
      ["a/_middleware.lua"] = function(_, next) return next() end,
    }
    local res = app:get "/a/x"
    assert.equal(418, res.status)
    assert.equal("root: worse", res.body)
  end)

  it("raised by every error file are still an answer", function()
    local app <close> = temp_routes.app {
      ["_error.lua"] = function() error "and again" end,
      ["x.lua"] = function() error "first" end,
    }
    assert.equal(500, app:get("/x").status)
    assert.equal(2, #app.log)
    assert.matches("first", app.log[1])
    assert.matches("and again", app.log[2])
  end)

  it("reach the hook once", function()
    local seen = {}
    local folder = temp_routes.project {
      ["hooks.lua"] = "return require('spec.handlers').hooks",
      ["routes/a.lua"] = function() error "broken" end,
      ["routes/b.lua"] = function() error(spry.NotFoundError()) end,
      ["routes/c.lua"] = function()
        spry.spawn(function() error "in a task" end)
        return "x"
      end,
      ["routes/ws.lua"] = function(event)
        return event.ws:upgrade(function() error "in a session" end)
      end,
    }
    package.loaded["spec.handlers"].hooks = { onError = function(err, subject)
      seen[#seen + 1] = { err.message, err.status, subject and true or false }
    end }
    local app <close> = require("sprylua.testing").app(folder .. "/routes")
    app:get "/a"
    app:get "/b"
    app:get "/c"
    app:ws("/ws"):receive()
    assert.equal(3, #seen)
    assert.matches("broken", seen[1][1])
    assert.is_true(seen[1][3])
    assert.matches("in a task", seen[2][1])
    assert.matches("in a session", seen[3][1])
    assert.matches("WebSocket session .*: .*in a session", app.log[#app.log])
  end)

  it("of a handler that takes too long reach the log and onError, with the request's name", function()
    local seen = {}
    local folder = temp_routes.project {
      ["routes/slow.lua"] = function() spry.sleep(1e6) end,
      ["hooks.lua"] = [[return require("spec.handlers").hooks]],
    }
    package.loaded["spec.handlers"].hooks = { onError = function(err) seen[#seen + 1] = err end }
    local app <close> = require("sprylua.testing").app(folder .. "/routes")
    assert.equal(503, app:get("/slow?a=1").status)
    assert.equal(1, #seen)
    assert.equal(503, seen[1].status)
    assert.equal("the handler took longer than limits.requestTimeout", seen[1].message)
    assert.matches("GET /slow%?a=1: the handler took longer", app.log[#app.log])
  end)

  it("of one function in two files go to each file's own error file", function()
    local function shared() error(spry.HTTPError(400)) end
    local app <close> = temp_routes.app {
      ["a/_error.lua"] = function() return "a" end,
      ["a/x.lua"] = shared,
      ["b/_error.lua"] = function() return "b" end,
      ["b/x.lua"] = shared,
      ["c.lua"] = shared,
    }
    assert.equal("a", app:get("/a/x").body)
    assert.equal("b", app:get("/b/x").body)
    assert.equal("Bad Request", app:get("/c").body)
  end)
end)
