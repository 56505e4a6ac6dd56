-- The table of file names, row by row, as a client sees it.
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

-- A handler that says which file answered, with its parameters in the order of their names.
local function says(name)
  return function(event)
    local parts = {}
    for key, value in pairs(event.params) do
      parts[#parts + 1] = key .. "=" .. value
    end
    table.sort(parts)
    return name .. (#parts > 0 and " " or "") .. table.concat(parts, ",")
  end
end

local function app_of(...)
  local files = {}
  for _, file in ipairs { ... } do
    files[file] = says(file:gsub("%.lua$", ""))
  end
  return temp_routes.app(files)
end

describe("a route file", function()
  local app

  local function got(path, method)
    local res = app:request(method or "GET", path)
    if res.status ~= 200 then
      return res.status
    end
    return res.body
  end

  after_each(function()
    app:close()
  end)

  it("index.lua is the folder's path", function()
    app = app_of("index.lua", "docs/index.lua")
    assert.equal("index", got "/")
    assert.equal("docs/index", got "/docs")
    assert.equal("docs/index", got "/docs/")
    assert.equal(404, got "/index")
    assert.equal(404, got "/other")
  end)

  it("with a suffix takes one method", function()
    app = app_of("a.get.lua", "a.post.lua", "b.put.lua", "c.patch.lua", "d.delete.lua", "e.head.lua", "f.options.lua")
    assert.equal("a.get", got "/a")
    assert.equal("a.post", got("/a", "POST"))
    assert.equal("b.put", got("/b", "PUT"))
    assert.equal("c.patch", got("/c", "PATCH"))
    assert.equal("d.delete", got("/d", "DELETE"))
    assert.equal("f.options", got("/f", "OPTIONS"))
    assert.equal(200, app:head("/e").status)
    assert.equal(405, got "/e")
    assert.equal(405, got("/a", "PUT"))
  end)

  it("without a suffix takes every method, but the one with a suffix comes first", function()
    app = app_of("a.lua", "a.post.lua")
    for _, method in ipairs { "GET", "PUT", "PATCH", "DELETE", "OPTIONS" } do
      assert.equal("a", got("/a", method))
    end
    assert.equal("a.post", got("/a", "POST"))
    assert.equal(200, app:head("/a").status)
  end)

  it("[id].lua is a parameter", function()
    app = app_of("users/[id].lua")
    assert.equal("users/[id] id=7", got "/users/7")
    assert.equal("users/[id] id=a b/c", got "/users/a%20b%2Fc")
    assert.equal("users/[id] id=é", got "/users/%C3%A9")
    assert.equal(404, got "/users")
    assert.equal(404, got "/users/1/2")
  end)

  it("[id([0-9]+)].lua must match, whole", function()
    app = app_of("users/[id([0-9]+)].lua", "v/[x(%d+%.%d+)].get.lua")
    assert.equal("users/[id([0-9]+)] id=42", got "/users/42")
    for _, path in ipairs { "/users/x", "/users/4x", "/users/x4", "/users/4%202", "/users/%0A4" } do
      assert.equal(404, got(path))
    end
    assert.equal("v/[x(%d+%.%d+)].get x=1.20", got "/v/1.20")
    assert.equal(404, got "/v/1")
  end)

  it("[[section]].lua is optional", function()
    app = app_of("docs/[[section]].lua")
    assert.equal("docs/[[section]]", got "/docs")
    assert.equal("docs/[[section]] section=a", got "/docs/a")
    assert.equal(404, got "/docs/a/b")
  end)

  it("[...slug].lua is the rest", function()
    app = app_of("files/[...slug].lua")
    assert.equal("files/[...slug] slug=a", got "/files/a")
    assert.equal("files/[...slug] slug=a/b c/d%2Fe", got "/files/a/b%20c/d%2Fe")
    assert.equal(404, got "/files")
    assert.equal(404, got "/")
  end)

  it("[...slug].lua at the root is the fallback", function()
    app = app_of("[...slug].lua", "a.get.lua")
    assert.equal("[...slug] slug=x/y", got "/x/y")
    assert.equal("[...slug] slug=", got "/")
    assert.equal("a.get", got "/a")
    assert.equal("[...slug] slug=a", got("/a", "POST"))
  end)

  it("[...].lua and [_].lua have no name", function()
    app = app_of("a/[...].lua", "b/[_]/c.lua")
    assert.equal("a/[...]", got "/a/x/y")
    assert.equal("b/[_]/c", got "/b/x/c")
    assert.equal(404, got "/b/c")
  end)

  it("[...path+].lua and [[...path]].lua are one or more, zero or more", function()
    app = app_of("a/[...path+].lua", "b/[[...path]].lua")
    assert.equal(404, got "/a")
    assert.equal("a/[...path+] path=x/y", got "/a/x/y")
    assert.equal("b/[[...path]] path=", got "/b")
    assert.equal("b/[[...path]] path=x/y", got "/b/x/y")
  end)

  it("parameters stand inside segments", function()
    app = app_of("[name].[ext].lua", "post-[id].json.lua")
    assert.equal("[name].[ext] ext=html,name=about", got "/about.html")
    assert.equal("post-[id].json id=7", got "/post-7.json")
    assert.equal("[name].[ext] ext=json,name=post-", got "/post-.json")
    assert.equal(404, got "/about")
  end)

  it("(group)/x.lua adds no path", function()
    app = app_of("(admin)/x.lua", "a/(b)/(c)/y.lua")
    assert.equal("(admin)/x", got "/x")
    assert.equal("a/(b)/(c)/y", got "/a/y")
    assert.equal(404, got "/(admin)/x")
  end)

  it("the more specific beats the less", function()
    app = app_of("u/me.lua", "u/[id(%d+)].lua", "u/p-[x].lua", "u/[name].lua", "u/[...rest].lua")
    assert.equal("u/me", got "/u/me")
    assert.equal("u/[id(%d+)] id=5", got "/u/5")
    assert.equal("u/p-[x] x=1", got "/u/p-1")
    assert.equal("u/[name] name=you", got "/u/you")
    assert.equal("u/[...rest] rest=you/and/me", got "/u/you/and/me")
  end)

  it("is looked for again from a less specific place", function()
    app = app_of("a/b/c.lua", "[x]/b/d.lua", "a/[...rest].post.lua")
    assert.equal("a/b/c", got "/a/b/c")
    assert.equal("[x]/b/d x=a", got "/a/b/d")
    assert.equal("a/[...rest].post rest=b/c2", got("/a/b/c2", "POST"))
  end)
end)

describe("methods", function()
  it("HEAD falls back to GET, without the body", function()
    local app <close> = temp_routes.app { ["a.get.lua"] = function(event)
      return spry.Response("hello", { headers = { ["x-method"] = event.method } })
    end }
    local res = app:head "/a"
    assert.equal(200, res.status)
    assert.equal("HEAD", res.headers:get "x-method")
    assert.equal("5", res.headers:get "content-length")
    assert.equal("", res.body)
  end)

  it("that nobody takes are a 405 with Allow", function()
    local app <close> = app_of("a.get.lua", "a.post.lua", "[x].delete.lua")
    local res = app:put "/a"
    assert.equal(405, res.status)
    local allow = {}
    for method in res.headers:get("allow"):gmatch "%a+" do
      allow[#allow + 1] = method
    end
    table.sort(allow)
    assert.same({ "DELETE", "GET", "HEAD", "OPTIONS", "POST" }, allow)
  end)

  it("OPTIONS is answered", function()
    local app <close> = app_of("a.get.lua")
    local res = app:options "/a"
    assert.equal(204, res.status)
    assert.matches("GET", res.headers:get "allow")
    assert.matches("HEAD", res.headers:get "allow")
    assert.matches("OPTIONS", res.headers:get "allow")
    assert.equal(404, app:options("/none").status)
  end)
end)

describe("a path", function()
  it("is resolved before anything matches", function()
    local app <close> = temp_routes.app {
      ["admin/_middleware.lua"] = function() return spry.Response("guarded", { status = 401 }) end,
      ["admin/index.lua"] = says "admin",
      ["admin/users.lua"] = says "users",
      ["[...rest].lua"] = says "fallback",
    }
    for _, path in ipairs {
      "/admin", "//admin", "/x/../admin", "/%61dmin", "/./admin/", "/admin/users", "/admin//users", "/%2e%2e/admin",
      "/x/%2e%2e/admin/users", "/admin/%75sers", "/admin/nothing",
    } do
      local res = app:get(path)
      if path ~= "/admin/nothing" then
        assert.equal(401, res.status, path)
      end
    end
    assert.equal(200, app:get("/x/admin").status)
  end)

  it("with a broken escape or a NUL is a 400", function()
    local app <close> = app_of("[...rest].lua")
    for _, path in ipairs { "/%", "/%4", "/%zz", "/a%00b", "/%u0041" } do
      assert.equal(400, app:get(path).status, path)
    end
  end)
end)
