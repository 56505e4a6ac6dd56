local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("every", function()
  local function mark(name)
    return function(event, next)
      event.locals.seen = (event.locals.seen or "") .. name
      local res = next()
      res.headers:append("x-seen", name .. res.status)
      return res
    end
  end

  local function refuse()
    error(spry.HTTPError(403, { message = "no" }))
  end

  local function app_with(made, more)
    local files = {
      ["a/_middleware.lua"] = made,
      ["a/index.lua"] = function(event) return event.locals.seen end,
      ["a/broken.lua"] = function() error "broken" end,
    }
    for name, content in pairs(more or {}) do files[name] = content end
    return temp_routes.app(files)
  end

  it("runs all in order as one", function()
    local app <close> = app_with(middleware.every(mark "a", mark "b", mark "c"))
    local res = app:get "/a"
    assert.equal("abc", res.body)
    assert.equal("c200, b200, a200", res.headers:get "x-seen")
    assert.equal("c500, b500, a500", app:get("/a/broken").headers:get "x-seen")
    assert.equal("c404, b404, a404", app:get("/a/none").headers:get "x-seen")
  end)

  it("of one is that one, and of others of its kind is all of them", function()
    local app <close> = app_with(middleware.every(middleware.every(mark "a"), middleware.every(mark "b", mark "c")))
    assert.equal("abc", app:get("/a").body)
  end)

  it("gives those outside a response when one inside refuses, by the error file of its own folder", function()
    local app <close> = app_with(middleware.every(mark "a", refuse, mark "c"), {
      ["a/_error.lua"] = function(err) return { near = err.status } end,
      ["_error.lua"] = function(err) return { far = err.status } end,
      ["_middleware.lua"] = mark "root",
    })
    local res = app:get "/a"
    assert.same({ near = 403 }, res:json())
    assert.equal("a403, root403", res.headers:get "x-seen")
  end)

  it("gives them a response also where it is called by hand", function()
    local both = middleware.every(mark "a", refuse)
    local app <close> = app_with(function(event, next)
      return both(event, next)
    end)
    local res = app:get "/a"
    assert.equal(403, res.status)
    assert.equal("a403", res.headers:get "x-seen")
  end)

  it("turns what one returns into a response, and names the file of one that returns nothing", function()
    local app <close> = app_with(middleware.every(mark "a", function() return { own = true } end))
    local res = app:get "/a"
    assert.same({ own = true }, res:json())
    assert.equal("a200", res.headers:get "x-seen")
    local forgetful <close> = app_with(middleware.every(mark "a", function() end))
    assert.equal(500, forgetful:get("/a").status)
    assert.matches("a/_middleware.lua: the middleware returned nothing", forgetful.log[1])
  end)

  it("lets one answer by itself, change a Response that a route keeps, and wait", function()
    local kept = spry.Response "kept"
    local app <close> = app_with(middleware.every(mark "a", function(event, next)
      spry.sleep(1)
      return event.query:has "own" and "own" or next()
    end, mark "c"), { ["a/kept.lua"] = function() return kept end })
    assert.equal("own", app:get("/a?own").body)
    assert.equal("c200, a200", app:get("/a/kept").headers:get "x-seen")
    assert.equal("c200, a200", app:get("/a/kept").headers:get "x-seen")
    assert.is_false(kept.headers:has "x-seen")
  end)

  it("works in a defineHandler, and lets an upgrade through", function()
    local app <close> = temp_routes.app {
      ["x.lua"] = [[
        local spry = require "sprylua"
        return spry.defineHandler {
          middleware = { spry.middleware.every(spry.middleware.requestId(), spry.middleware.secureHeaders()) },
          handler = function(event)
            return event.ws:upgrade(function(ws) ws:sendText "hi" end)
          end,
        }]],
    }
    local ws = assert(app:ws "/x")
    assert.equal("hi", ws:receive())
    assert.is_true(ws.response.headers:has "x-request-id")
    assert.equal("nosniff", ws.response.headers:get "x-content-type-options")
    assert.equal(426, app:get("/x").status)
  end)

  it("takes functions alone", function()
    assert.error_matches(function() middleware.every() end, "every needs a middleware")
    assert.error_matches(function() middleware.every { refuse } end, "every takes middleware, .* number 1 is a table")
    assert.error_matches(function() middleware.every(refuse, nil) end, "number 2 is a nil")
  end)
end)
