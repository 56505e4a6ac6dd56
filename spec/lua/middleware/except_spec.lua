local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("except", function()
  local function refuse()
    error(spry.HTTPError(403))
  end

  local function passes(condition, path, opts)
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = middleware.except(condition, refuse),
      ["index.lua"] = function() return "x" end,
      ["[...rest].lua"] = function() return "x" end,
    }
    return app:get(path, opts).status == 200
  end

  it("leaves out a path, and that alone", function()
    assert.is_true(passes("/login", "/login"))
    assert.is_true(passes("/login", "/login/"))
    assert.is_true(passes("/login", "/x/..//login?a=/b"))
    for _, path in ipairs { "/", "/login/x", "/loginx", "/x/login", "/LOGIN", "/login%2Fx", "/login%2F", "/login;x" } do
      assert.is_false(passes("/login", path), path)
    end
    assert.is_true(passes("/", "/"))
    assert.is_false(passes("/", "/x"))
  end)

  it("leaves out a folder and all below", function()
    for _, path in ipairs { "/public", "/public/", "/public/a", "/public/a/b", "/public/a/../b" } do
      assert.is_true(passes("/public/*", path), path)
    end
    for _, path in ipairs {
      "/", "/publicity", "/public%2Fa", "/public/../secret", "/public/%2e%2e/secret", "/a/public/b",
    } do
      assert.is_false(passes("/public/*", path), path)
    end
    assert.is_true(passes("/*", "/"))
    assert.is_true(passes("/*", "/a/b"))
    assert.is_false(passes("/a.b/*", "/axb/c"))
  end)

  it("leaves out what a list names, or a function says", function()
    for path, expected in pairs { ["/a"] = true, ["/b/c"] = true, ["/c"] = false } do
      assert.equal(expected, passes({ "/a", "/b/*" }, path))
    end
    local function by_header(event)
      return event.headers:get "x-key" == "k"
    end
    assert.is_true(passes(by_header, "/", { headers = { ["x-key"] = "k" } }))
    assert.is_false(passes(by_header, "/"))
  end)

  it("refuses when the function is broken", function()
    assert.is_false(passes(function() error "broken" end, "/"))
  end)

  it("runs several in order otherwise", function()
    local function mark(name)
      return function(_, next)
        local res = next()
        res.headers:append("x-seen", name .. res.status)
        return res
      end
    end
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = middleware.except("/free", mark "a", mark "b", refuse),
      ["free.lua"] = function() return "x" end,
    }
    assert.equal("b403, a403", app:get("/").headers:get "x-seen")
    assert.is_false(app:get("/free").headers:has "x-seen")
  end)

  it("refuses a path that could never be one", function()
    for _, wrong in ipairs {
      "", "login", "/login/", "/a/*/b", "/*a", "/a*", "//", "*", {}, { "/a", 1 }, { "/a", "b" }, { path = "/a" }, 1,
    } do
      assert.error_matches(function() middleware.except(wrong, refuse) end, "^except begins with a path such as")
    end
    assert.error_matches(function() middleware.except() end, "^except begins with a path")
  end)

  it("takes functions alone", function()
    assert.error_matches(function() middleware.except "/a" end, "except needs a middleware")
    assert.error_matches(function() middleware.except("/a", refuse, {}) end, "number 2 is a table")
  end)
end)
