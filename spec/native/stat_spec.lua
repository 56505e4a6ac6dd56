-- core.stat: what tells one content of a file from another one.

local core = require "sprylua.core"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

describe("core.stat", function()
  local folder, path

  before_each(function()
    folder = temp_routes.project { ["a.txt"] = "hello" }
    path = folder .. "/a.txt"
  end)

  it("is what luv says, as plain numbers", function()
    assert(uv.fs_utime(path, 1000, 784111777.25))
    local stat = uv.fs_stat(path)
    assert.same({
      5, 784111777, 250000000, stat.ctime.sec, stat.ctime.nsec, stat.ino, stat.dev,
    }, { core.stat(path) })
    assert.equal("integer", math.type((core.stat(path))))
  end)

  it("is the same of an open file, and by a link", function()
    local fd = assert(uv.fs_open(path, "r", 0))
    finally(function() uv.fs_close(fd) end)
    assert(uv.fs_symlink("a.txt", folder .. "/link"))
    assert.same({ core.stat(path) }, { core.stat(fd) })
    assert.same({ core.stat(path) }, { core.stat(folder .. "/link") })
  end)

  it("is nothing for what is no regular file", function()
    assert.is_true(os.execute("mkfifo " .. folder .. "/fifo"))
    for _, name in ipairs { folder, folder .. "/none", path .. "/x", folder .. "/fifo", "/dev/null", "" } do
      assert.equal(0, select("#", core.stat(name)), name)
    end
    assert.equal(0, select("#", core.stat(-1)))
  end)

  it("refuses what no path can be", function()
    assert.error_matches(function() core.stat(path .. "\0.png") end, "NUL")
    assert.has_error(function() core.stat({}) end)
    assert.has_error(function() core.stat() end)
  end)
end)
