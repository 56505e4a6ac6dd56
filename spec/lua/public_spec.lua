local public = require "sprylua.public"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("public", function()
  local folder, opened

  before_each(function()
    folder = temp_routes.project {
      ["public/index.html"] = "<p>", ["public/a/b.txt"] = "text", ["public/a/index.html"] = "a",
      ["public/.hidden"] = "x", ["public/.well-known/x"] = "x", ["outside/b.txt"] = "secret",
    }
    opened = public.open(folder .. "/public")
  end)

  after_each(testing.reset)

  it("lists what can be served, and a folder's index for the folder", function()
    local paths = {}
    for _, file in ipairs(opened:list()) do
      paths[#paths + 1] = "/" .. table.concat(file.segments, "/") .. " " .. file.path
    end
    table.sort(paths)
    assert.same({
      "/ index.html", "/.well-known/x .well-known/x", "/a a/index.html", "/a/b.txt a/b.txt",
      "/a/index.html a/index.html", "/index.html index.html",
    }, paths)
  end)

  it("has nothing to say without a folder", function()
    assert.is_nil(public.open(folder .. "/nothing"))
    assert.is_nil(public.open(folder .. "/public/index.html"))
  end)

  it("serves a file, or raises a 404", function()
    local event = testing.event { path = "/a/b.txt" }
    local made = opened:serve(event, "a/b.txt")
    assert.equal("text/plain; charset=utf-8", made.headers:get "content-type")
    assert.equal("text", made.finish(made, event).body)
    local ok, err = pcall(opened.serve, opened, event, "a/none.txt")
    assert.is_false(ok)
    assert.equal(404, err.status)
  end)

  it("finds a file for a path that nobody takes", function()
    assert.truthy(opened:lookup(testing.event { path = "/a/b.txt" }))
    assert.truthy(opened:lookup(testing.event { path = "/a" }))
    assert.truthy(opened:lookup(testing.event { path = "/" }))
    assert.is_nil(opened:lookup(testing.event { path = "/.hidden" }))
    assert.is_nil(opened:lookup(testing.event { path = "/a%2Fb.txt" }))
    assert.is_nil(opened:lookup(testing.event { path = "/a/b.txt%5c..%5c" }))
  end)

  it("finds a file that is replaced while it is looked for", function()
    local folder_of_public = folder .. "/public"
    local function write(name)
      local file = assert(io.open(folder_of_public .. "/" .. name, "w"))
      file:write(name)
      file:close()
    end
    write "new.txt"
    write "newer.txt"
    local realpath, renamed = uv.fs_realpath, false
    finally(function() uv.fs_realpath = realpath end)
    uv.fs_realpath = function(path)
      if not renamed then
        renamed = true
        assert(uv.fs_rename(folder_of_public .. "/newer.txt", folder_of_public .. "/new.txt"))
      end
      return realpath(path)
    end
    assert.truthy(opened:lookup(testing.event { path = "/new.txt" }))
    assert.is_true(renamed)
  end)

  it("looks where a path leads now, also for a file that it has served", function()
    local event = testing.event { path = "/a/b.txt" }
    assert.truthy(opened:lookup(event))
    assert(uv.fs_rename(folder .. "/public/a", folder .. "/public/was"))
    assert(uv.fs_symlink("../outside", folder .. "/public/a"))
    assert.is_nil(opened:lookup(event))
    assert(uv.fs_unlink(folder .. "/public/a"))
    assert(uv.fs_symlink("was", folder .. "/public/a"))
    assert.truthy(opened:lookup(event))
  end)
end)
