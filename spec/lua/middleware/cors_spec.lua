local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("cors", function()
  local PAGE, EVIL = "https://example.org", "https://evil.com"
  local ran

  local function app_with(options, more)
    ran = 0
    local files = {
      ["_middleware.lua"] = middleware.cors(options),
      ["index.lua"] = function()
        ran = ran + 1
        return "x"
      end,
      ["only.get.lua"] = function() return "x" end,
      ["broken.lua"] = function() error "broken" end,
      ["varied.lua"] = function(event)
        return spry.Response("x", { headers = { vary = event.query:get "vary" } })
      end,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText "hi" end, { origins = "*" })
      end,
    }
    for name, content in pairs(more or {}) do files[name] = content end
    return temp_routes.app(files)
  end

  local function get(app, path, origin)
    return app:get(path, { headers = { origin = origin } })
  end

  local function preflight(app, path, origin, headers)
    return app:options(path, { headers = {
      origin = origin, ["access-control-request-method"] = "PUT", ["access-control-request-headers"] = headers,
    } })
  end

  local function allowed(res)
    return res.headers:get "access-control-allow-origin"
  end

  it("lets everybody read, unless told otherwise", function()
    local app <close> = app_with()
    for _, origin in ipairs { PAGE, EVIL, "null" } do
      assert.equal("*", allowed(get(app, "/", origin)))
    end
    local res = app:get "/"
    assert.equal("*", allowed(res))
    assert.is_false(res.headers:has "vary")
    assert.is_false(res.headers:has "access-control-allow-credentials")
  end)

  it("names an origin of its list, and never another", function()
    local app <close> = app_with { origins = { PAGE }, credentials = true }
    local res = get(app, "/", PAGE)
    assert.equal(PAGE, allowed(res))
    assert.equal("true", res.headers:get "access-control-allow-credentials")
    assert.equal("Origin", res.headers:get "vary")
    for _, origin in ipairs { EVIL, "null", "", PAGE .. ".evil.com", { PAGE, EVIL }, PAGE .. ", " .. EVIL } do
      res = get(app, "/", origin)
      assert.equal(200, res.status)
      assert.is_nil(allowed(res))
      assert.is_false(res.headers:has "access-control-allow-credentials")
      assert.equal("Origin", res.headers:get "vary")
    end
    assert.equal("Origin", app:get("/").headers:get "vary")
  end)

  it("asks a function", function()
    local app <close> = app_with {
      origins = function(origin, event) return origin == PAGE and event.pathname == "/" end,
    }
    assert.equal(PAGE, allowed(get(app, "/", PAGE)))
    assert.is_nil(allowed(get(app, "/only", PAGE)))
    assert.is_nil(allowed(get(app, "/", EVIL)))
  end)

  it("does not run the route when the function is broken", function()
    local app <close> = app_with { origins = function() return PAGE end }
    assert.equal(500, get(app, "/", EVIL).status)
    assert.equal(0, ran)
    assert.matches("the function origins returned a string", app.log[1])
  end)

  it("answers a preflight without running the route, where there is OPTIONS and where there is none", function()
    local app <close> = app_with { origins = { PAGE }, maxAge = 600 }
    for _, path in ipairs { "/", "/only", "/none", "/broken" } do
      local res = preflight(app, path, PAGE, "X-A, content-type")
      assert.equal(204, res.status)
      assert.equal("", res.body)
      assert.equal(PAGE, allowed(res))
      assert.equal("GET, HEAD, POST, PUT, PATCH, DELETE", res.headers:get "access-control-allow-methods")
      assert.equal("X-A, content-type", res.headers:get "access-control-allow-headers")
      assert.equal("600", res.headers:get "access-control-max-age")
      assert.equal("Origin, Access-Control-Request-Headers", res.headers:get "vary")
    end
    assert.equal(0, ran)
  end)

  it("tells a foreign page nothing in a preflight", function()
    local app <close> = app_with { origins = { PAGE }, credentials = true, maxAge = 600 }
    local res = preflight(app, "/", EVIL, "x-a")
    assert.equal(204, res.status)
    for _, field in ipairs(res.headers) do
      assert.is_nil(field[1]:lower():find "^access%-control")
    end
    assert.equal("Origin, Access-Control-Request-Headers", res.headers:get "vary")
  end)

  it("reflects nothing that is no list of names", function()
    local app <close> = app_with()
    for _, headers in ipairs { "x a", "x-a;b", "<script>", "a,(b)", "" } do
      local res = preflight(app, "/", PAGE, headers)
      assert.equal(204, res.status)
      assert.is_false(res.headers:has "access-control-allow-headers")
    end
    assert.equal("a, b", preflight(app, "/", PAGE, "a,,b ,").headers:get "access-control-allow-headers")
  end)

  it("allows the methods and headers that it was told, also none", function()
    local app <close> = app_with { methods = { "get", "PUT" }, headers = { "x-a", "x-b" }, exposeHeaders = { "x-c" } }
    local res = preflight(app, "/", PAGE, "x-evil")
    assert.equal("GET, PUT", res.headers:get "access-control-allow-methods")
    assert.equal("x-a, x-b", res.headers:get "access-control-allow-headers")
    assert.is_false(res.headers:has "access-control-expose-headers")
    assert.is_false(res.headers:has "vary")
    assert.equal("x-c", get(app, "/", PAGE).headers:get "access-control-expose-headers")
    local listed <close> = app_with { origins = { PAGE }, exposeHeaders = { "x-c" } }
    assert.is_false(get(listed, "/", EVIL).headers:has "access-control-expose-headers")
    local strict <close> = app_with { methods = {}, headers = {} }
    res = preflight(strict, "/", PAGE, "x-evil")
    assert.is_false(res.headers:has "access-control-allow-methods")
    assert.is_false(res.headers:has "access-control-allow-headers")
  end)

  it("leaves other OPTIONS requests to the route", function()
    local app <close> = app_with()
    assert.equal("x", app:options("/").body)
    assert.equal("x", app:options("/", { headers = { origin = PAGE } }).body)
    assert.equal("x", app:options("/", { headers = { ["access-control-request-method"] = "PUT" } }).body)
    assert.equal("GET, HEAD, OPTIONS", app:options("/only").headers:get "allow")
    assert.equal(200, preflight(app_with(nil, {
      ["_middleware.lua"] = middleware.except("/", middleware.cors()),
    }), "/", PAGE).status)
  end)

  it("may stand inside another one, which then leaves the answer alone", function()
    local app <close> = app_with(nil, {
      ["in/_middleware.lua"] = middleware.cors { origins = { "http://a.test" }, credentials = true },
      ["in/index.lua"] = function() return "x" end,
    })
    assert.equal("http://a.test", allowed(get(app, "/in", "http://a.test")))
    assert.is_nil(allowed(get(app, "/in", "http://b.test")))
  end)

  it("serves a folder of its own", function()
    local app <close> = temp_routes.app {
      ["api/_middleware.lua"] = middleware.cors { origins = { PAGE } },
      ["api/x.put.lua"] = function() return "x" end,
      ["index.lua"] = function() return "x" end,
    }
    assert.equal(PAGE, allowed(preflight(app, "/api/x", PAGE)))
    assert.is_nil(allowed(preflight(app, "/", PAGE)))
    assert.is_nil(allowed(get(app, "/", PAGE)))
  end)

  it("marks errors and a 101", function()
    local app <close> = app_with { origins = { PAGE } }
    assert.equal(PAGE, allowed(get(app, "/none", PAGE)))
    assert.equal(PAGE, allowed(get(app, "/broken", PAGE)))
    local ws = assert(app:ws("/ws", { headers = { origin = PAGE } }))
    assert.equal(PAGE, allowed(ws.response))
    assert.equal("hi", ws:receive())
  end)

  it("adds to a Vary that is there, never twice", function()
    local app <close> = app_with { origins = { PAGE } }
    for given, expected in pairs {
      Accept = "Accept, Origin", origin = "origin", ["Accept,ORIGIN"] = "Accept,ORIGIN", ["*"] = "*",
    } do
      assert.equal(expected, get(app, "/varied?vary=" .. given, PAGE).headers:get "vary")
    end
  end)

  it("refuses what browsers would refuse, or could never match", function()
    for message, options in pairs {
      ['credentials need a list of origins, since browsers refuse them together with "%*"'] = { credentials = true },
      ["origins must be .* not a table"] = { origins = { "https://example.org/" } },
      ["origins must be .* not \"https://example.org\""] = { origins = PAGE },
      ["methods must be a list of methods"] = { methods = { "GET, PUT" } },
      ["headers must be a list of header names"] = { headers = "x-a" },
      ["exposeHeaders must be a list of header names"] = { exposeHeaders = { "a\r\nb" } },
      ["maxAge must be a whole number"] = { maxAge = -1 },
    } do
      assert.error_matches(function() middleware.cors(options) end, "^cors: " .. message)
    end
  end)
end)
