local snapshot = require "sprylua.snapshot"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("snapshot", function()
  local folder

  before_each(function()
    folder = temp_routes.project { ["a.txt"] = "hello", ["big"] = ("x"):rep(snapshot.SMALL + 1) }
  end)

  local function write(name, text) temp_routes.write(folder, name, text) end

  -- As if that much time had passed: what has just been written is not kept in memory.
  local function later(seconds, fn)
    local now = os.time
    os.time = function(...) return now(...) + (select("#", ...) == 0 and seconds or 0) end -- luacheck: ignore
    local _ <close> = setmetatable({}, { __close = function() os.time = now end }) -- luacheck: ignore
    fn()
  end

  it("names a file's content", function()
    assert(uv.fs_utime(folder .. "/a.txt", 784111777, 784111777))
    local found = snapshot.look(folder .. "/a.txt")
    assert.equal(5, found.size)
    assert.equal("text/plain; charset=utf-8", found.type)
    assert.equal(784111777, found.modified)
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", found.date)
    assert.matches('^"5%-2ebc98a1%.0%-%x+"$', found.etag)
  end)

  it("has a new name for every change, also within a second and of the same length", function()
    local seen = {}
    for i = 1, 3 do
      write("a.txt", "text" .. i)
      assert(uv.fs_utime(folder .. "/a.txt", 1000, 1000 + i / 4))
      seen[snapshot.look(folder .. "/a.txt").etag] = true
    end
    write("b.txt", "text4") -- another file, with the same date, in its place
    assert(uv.fs_utime(folder .. "/b.txt", 1000, 1000.75))
    assert(uv.fs_rename(folder .. "/b.txt", folder .. "/a.txt"))
    seen[snapshot.look(folder .. "/a.txt").etag] = true
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.equal(4, n)
  end)

  it("has no date in the future", function()
    assert(uv.fs_utime(folder .. "/a.txt", 4000000000, 4000000000))
    local found = snapshot.look(folder .. "/a.txt")
    assert.equal(4000000000, found.modified)
    assert.not_matches("2096", found.date)
  end)

  it("is only of files", function()
    assert.is_nil(snapshot.look(folder .. "/none"))
    assert.is_nil(snapshot.look(folder .. "/a.txt/x"))
    assert.is_nil(snapshot.look(folder))
    assert.is_nil(snapshot.look("/dev/null"))
    assert.is_true(os.execute("mkfifo " .. folder .. "/fifo"))
    assert.is_nil(snapshot.look(folder .. "/fifo"))
    assert.is_nil(snapshot.look(folder .. "/" .. ("n"):rep(300)))
  end)

  it("gives a small content as a string, a large one as an open file", function()
    assert.equal("hello", snapshot.look(folder .. "/a.txt"):content())
    assert.equal("hello", testing.run(function() return snapshot.look(folder .. "/a.txt"):content() end))
    local opened <close> = snapshot.look(folder .. "/big"):content()
    assert.equal("xxx", opened:read(3, 0))
  end)

  it("keeps a small content in memory when it has not just been written", function()
    assert.equal("hello", snapshot.look(folder .. "/a.txt"):content())
    assert.is_nil(snapshot.look(folder .. "/a.txt").bytes)
    later(10, function()
      assert.equal("hello", snapshot.look(folder .. "/a.txt"):content())
      local found = snapshot.look(folder .. "/a.txt")
      assert.equal("hello", found.bytes)
      assert.equal("hello", found:content())
      write("a.txt", "other")
      assert.is_nil(snapshot.look(folder .. "/a.txt").bytes)
      assert.equal("other", snapshot.look(folder .. "/a.txt"):content())
      assert(snapshot.look(folder .. "/big"):content()):close()
      assert.is_nil(snapshot.look(folder .. "/big").bytes)
    end)
  end)

  it("has no content when the file is another one by now", function()
    local small, large = snapshot.look(folder .. "/a.txt"), snapshot.look(folder .. "/big")
    write("a.txt", "longer than before")
    write("big", "shorter")
    assert.is_nil(small:content())
    assert.is_nil(large:content())
    small, large = snapshot.look(folder .. "/a.txt"), snapshot.look(folder .. "/big")
    os.remove(folder .. "/a.txt")
    assert(uv.fs_rename(folder .. "/big", folder .. "/old"))
    assert.is_nil(small:content())
    assert.is_nil(large:content())
    -- Opening a pipe that nobody writes to would take for ever.
    assert.is_true(os.execute("mkfifo " .. folder .. "/a.txt"))
    assert.is_nil(small:content())
  end)

  it("says what keeps it from reading", function()
    local found = snapshot.look(folder .. "/a.txt")
    found.path = folder .. "/" .. ("n"):rep(300)
    assert.error_matches(function() found:content() end, "ENAMETOOLONG")
  end)

  it("knows itself by another path", function()
    assert(uv.fs_symlink("a.txt", folder .. "/link"))
    local found = snapshot.look(folder .. "/a.txt")
    assert.is_true(found:is(folder .. "/link"))
    assert.is_false(found:is(folder .. "/big"))
    assert.is_false(found:is(folder .. "/none"))
  end)
end)
