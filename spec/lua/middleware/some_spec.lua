local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("some", function()
  local ran
  before_each(function()
    ran = {}
  end)

  local function raising(status, name)
    return function()
      ran[#ran + 1] = name or status
      error(spry.HTTPError(status, { message = name, headers = { ["x-by"] = name } }))
    end
  end

  local function answering(status, name)
    return function()
      ran[#ran + 1] = name
      return spry.Response(name, { status = status })
    end
  end

  local function passing(name)
    return function(_, next)
      ran[#ran + 1] = name
      local res = next()
      res.headers:append("x-passed", name)
      return res
    end
  end

  local function get(made, path, more)
    local files = {
      ["_middleware.lua"] = made,
      ["index.lua"] = function()
        ran[#ran + 1] = "route"
        return "x"
      end,
      ["refusing.lua"] = function() error(spry.HTTPError(403)) end,
    }
    for name, content in pairs(more or {}) do files[name] = content end
    local app <close> = temp_routes.app(files)
    local res = app:get(path or "/")
    return res, table.concat(ran, " "), app.log
  end

  it("is decided by the first that lets the request through", function()
    local res, order = get(middleware.some(raising(401, "a"), answering(403, "b"), passing "c", passing "d"))
    assert.equal(200, res.status)
    assert.equal("c", res.headers:get "x-passed")
    assert.equal("a b c route", order)
  end)

  it("answers with the last refusal, as it was raised", function()
    local seen
    local res, order = get(middleware.some(answering(403, "a"), raising(401, "b")), "/", {
      ["_error.lua"] = function(err) seen = err end,
    })
    assert.equal(401, res.status)
    assert.equal("b", res.body)
    assert.equal("b", res.headers:get "x-by")
    assert.equal("a b", order)
    assert.equal(seen, seen.cause)
  end)

  it("answers with the last refusal, as it was returned", function()
    local res = get(middleware.some(raising(401, "a"), answering(403, "b")))
    assert.equal(403, res.status)
    assert.equal("b", res.body)
  end)

  it("does not take an error of the route for a refusal", function()
    local res, order = get(middleware.some(passing "a", passing "b"), "/refusing")
    assert.equal(403, res.status)
    assert.equal("a", res.headers:get "x-passed")
    assert.equal("a", order)
  end)

  it("does not go on after next(), whatever comes then", function()
    for _, after in ipairs {
      function() error(spry.HTTPError(401)) end,
      function() return spry.Response("no", { status = 401 }) end,
    } do
      ran = {}
      local res, order = get(middleware.some(function(_, next)
        next()
        return after()
      end, passing "b"))
      assert.equal(401, res.status)
      assert.equal("route", order)
    end
  end)

  it("ends when a guard is broken, with the traceback of where", function()
    local res, order, log = get(middleware.some(function(event)
      return event.locals.missing.field
    end, passing "b"))
    assert.equal(500, res.status)
    assert.equal("", order)
    assert.equal(1, #log)
    assert.matches("attempt to index a nil value %(field 'missing'%).*stack traceback.*some_spec.lua", log[1])
    assert.equal(503, (get(middleware.some(raising(503, "a"), passing "b"))).status)
    assert.equal(500, (get(middleware.some(function() error() end, passing "b"))).status)
  end)

  it("takes one of two kinds of credentials", function()
    local made = middleware.some(
      middleware.bearer { tokens = { "abc" } },
      middleware.every(passing "outer", middleware.basicAuth { users = { ada = "pw" } }))
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = made,
      ["index.lua"] = function(event) return event.locals.user or event.locals.token end,
    }
    local function with(authorization)
      return app:get("/", { headers = { authorization = authorization } })
    end
    assert.equal("abc", with("Bearer abc").body)
    assert.equal("ada", with("Basic YWRhOnB3").body)
    local res = with "Basic YWRhOng="
    assert.equal(401, res.status)
    assert.matches("^Basic", res.headers:get "www-authenticate")
    assert.equal("outer", res.headers:get "x-passed")
  end)

  it("takes functions alone", function()
    assert.error_matches(function() middleware.some() end, "some needs a middleware")
    assert.error_matches(function() middleware.some(print, "x") end, "number 2 is a string")
  end)
end)
