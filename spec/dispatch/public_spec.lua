local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("public/", function()
  local folder, app

  local function serve(files)
    folder = temp_routes.project(files)
    app = testing.app(folder .. "/routes")
    return app
  end

  local function write(path, text) temp_routes.write(folder, path, text) end

  after_each(function()
    app:close()
  end)

  it("serves files with type, length and date", function()
    serve { ["public/style.css"] = "p { }", ["public/img/a b%.png"] = "png" }
    local res = app:get "/style.css"
    assert.equal(200, res.status)
    assert.equal("p { }", res.body)
    assert.equal("text/css; charset=utf-8", res.headers:get "content-type")
    assert.equal("5", res.headers:get "content-length")
    local date = res.headers:get "last-modified"
    assert.matches("GMT$", date)
    assert.equal("png", app:get("/img/a%20b%25.png").body)
    assert.equal(304, app:get("/style.css", { headers = { ["if-modified-since"] = date } }).status)
    assert.equal(404, app:get("/none.css").status)
  end)

  it("knows its own date again, also of a file that its clock says is of tomorrow", function()
    serve { ["public/a.txt"] = "hello" }
    uv.fs_utime(folder .. "/public/a.txt", os.time() + 86400, os.time() + 86400)
    local date = app:get("/a.txt").headers:get "last-modified"
    assert.equal(304, app:get("/a.txt", { headers = { ["if-modified-since"] = date } }).status)
  end)

  it("answers HEAD with the length, other methods with 405", function()
    serve { ["public/a.txt"] = "hello" }
    local res = app:head "/a.txt"
    assert.equal("5", res.headers:get "content-length")
    assert.equal("", res.body)
    res = app:post "/a.txt"
    assert.equal(405, res.status)
    assert.matches("GET", res.headers:get "allow")
    assert.equal(204, app:options("/a.txt").status)
  end)

  it("serves index.html for its folder", function()
    serve { ["public/index.html"] = "root", ["public/docs/index.html"] = "docs" }
    assert.equal("root", app:get("/").body)
    assert.equal("docs", app:get("/docs").body)
    assert.equal("docs", app:get("/docs/").body)
    assert.equal("docs", app:get("/docs/index.html").body)
    assert.equal("text/html; charset=utf-8", app:get("/docs").headers:get "content-type")
  end)

  it("comes before parameters and rests, after an explicit route", function()
    serve {
      ["public/logo.svg"] = "file", ["public/about"] = "file", ["public/form"] = "file", ["public/x/y.txt"] = "file",
      ["routes/[name].lua"] = function(event) return "param " .. event.params.name end,
      ["routes/[...rest].lua"] = function() return "rest" end,
      ["routes/about.get.lua"] = function() return "route" end,
      ["routes/form.post.lua"] = function() return "posted" end,
    }
    assert.equal("file", app:get("/logo.svg").body)
    assert.equal("param other.svg", app:get("/other.svg").body)
    assert.equal("file", app:get("/x/y.txt").body)
    assert.equal("rest", app:get("/x/z.txt").body)
    assert.equal("route", app:get("/about").body)
    assert.equal("file", app:get("/form").body)
    assert.equal("posted", app:post("/form").body)
  end)

  it("serves a file that came later, and misses one that has gone", function()
    serve { ["public/a.txt"] = "a" }
    write("public/later.txt", "later")
    assert.equal("later", app:get("/later.txt").body)
    os.remove(folder .. "/public/a.txt")
    assert.equal(404, app:get("/a.txt").status)
  end)

  it("passes the middleware and error files of its path", function()
    local function guard(event, next)
      if not event.query:has "key" then
        error(spry.HTTPError(401))
      end
      return next()
    end
    serve {
      ["public/admin/secret.txt"] = "secret", ["public/open.txt"] = "open",
      ["routes/admin/_middleware.lua"] = guard,
      ["routes/_error.lua"] = function(err) return "page " .. err.status end,
    }
    assert.equal("page 401", app:get("/admin/secret.txt").body)
    assert.equal("secret", app:get("/admin/secret.txt?key").body)
    assert.equal("open", app:get("/open.txt").body)
    write("public/admin/later.txt", "later")
    assert.equal("page 401", app:get("/admin/later.txt").body)
    assert.equal("later", app:get("/admin/later.txt?key").body)
    assert.equal("page 404", app:get("/none").body)
  end)

  it("never leaves its folder, and keeps dotfiles to itself", function()
    serve {
      ["public/a.txt"] = "a", ["public/.env"] = "secret", ["public/.git/config"] = "secret",
      ["public/.well-known/security.txt"] = "contact", ["secret.txt"] = "secret",
      ["routes/x.lua"] = function() return "x" end,
    }
    assert(uv.fs_symlink(folder .. "/secret.txt", folder .. "/public/out.txt"))
    assert(uv.fs_symlink("..", folder .. "/public/up"))
    assert(uv.fs_symlink("a.txt", folder .. "/public/inside.txt"))
    app:close()
    app = testing.app(folder .. "/routes")
    for _, path in ipairs {
      "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/a.txt/../../secret.txt", "/.env", "/.git/config",
      "/out.txt", "/up/secret.txt", "/x/%2e%2e%2f%2e%2e/secret.txt", "/a.txt%2f", "/.well-known",
    } do
      assert.equal(404, app:get(path).status, path)
    end
    assert.equal("a", app:get("/inside.txt").body)
    assert.equal("contact", app:get("/.well-known/security.txt").body)
  end)

  it("streams what is large", function()
    serve { ["public/big.bin"] = ("abcdefgh"):rep(100000) }
    local res = app:get "/big.bin"
    assert.equal("800000", res.headers:get "content-length")
    assert.equal(("abcdefgh"):rep(100000), res.body)
    assert.equal("800000", app:head("/big.bin").headers:get "content-length")
  end)

  it("is not needed", function()
    serve { ["routes/x.lua"] = function() return "x" end }
    assert.equal("x", app:get("/x").body)
    assert.equal(404, app:get("/y").status)
  end)
end)
