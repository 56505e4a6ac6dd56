local file = require "sprylua.file"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("file", function()
  local folder

  before_each(function()
    folder = temp_routes.project { ["text"] = "hello world" }
  end)

  -- Each operation is the same inside of a coroutine, where it waits, and outside, where it blocks.
  local function everywhere(name, fn)
    it(name .. ", outside of a coroutine", fn)
    it(name .. ", in a coroutine", function()
      testing.run(fn)
    end)
  end

  -- The descriptors of this process that lead to a path.
  local function descriptors(path)
    local count = 0
    for name in uv.fs_scandir_next, assert(uv.fs_scandir "/proc/self/fd") do
      if uv.fs_readlink("/proc/self/fd/" .. name) == path then
        count = count + 1
      end
    end
    return count
  end

  local function turn_until(done)
    testing.run(function()
      local thread, turns = coroutine.running(), 0
      local timer = uv.new_timer()
      timer:start(1, 1, function()
        turns = turns + 1
        if done() or turns > 1000 then
          timer:close()
          coroutine.resume(thread)
        end
      end)
      repeat
        coroutine.yield()
      until timer:is_closing()
    end)
    assert.is_true(done(), "it never came")
  end

  everywhere("reads from anywhere, and where it left off", function()
    local opened <close> = assert(file.open(folder .. "/text", "r"))
    assert.equal("world", opened:read(100, 6))
    assert.equal("hello", opened:read(5))
    assert.equal(" world", opened:read(100))
    assert.equal("", opened:read(100))
    assert.equal("", opened:read(100, 11))
  end)

  everywhere("makes files with names of their own", function()
    local first, path = file.temporary(folder)
    local second, other = file.temporary(folder)
    assert.not_equal(path, other)
    assert.equal(384, uv.fs_stat(path).mode & 511)
    assert.equal(3, assert(first):write "abc")
    first:close()
    second:close()
    assert.equal(0, descriptors(path))
    assert.equal("abc", io.open(path):read "a")
    local none, message = file.temporary(folder .. "/none")
    assert.is_nil(none)
    assert.matches("ENOENT", message)
  end)

  everywhere("waits for what luv does with paths", function()
    assert.is_true(file.call(uv.fs_rename, folder .. "/text", folder .. "/renamed"))
    assert.equal("hello world", io.open(folder .. "/renamed"):read "a")
    local ok, message = file.call(uv.fs_rename, folder .. "/text", folder .. "/renamed")
    assert.is_nil(ok)
    assert.matches("^ENOENT", message)
  end)

  everywhere("writes at the end and anywhere", function()
    local path = folder .. "/made"
    do
      local opened <close> = assert(file.open(path, "wx"))
      assert.equal(5, opened:write "abcde")
      assert.equal(3, opened:write "fgh")
      assert.equal(2, opened:write("XY", 1))
      assert.equal(0, opened:write "")
    end
    assert.equal(384, uv.fs_stat(path).mode & 511)
    assert.equal("aXYdefgh", io.open(path):read "a")
    local again, message = file.open(path, "wx", 420)
    assert.is_nil(again)
    assert.matches("EEXIST", message)
  end)

  everywhere("says why something failed", function()
    local opened, message = file.open(folder .. "/nothing", "r")
    assert.is_nil(opened)
    assert.matches("ENOENT", message)
    opened = assert(file.open(folder .. "/text", "r"))
    local written
    written, message = opened:write "x"
    assert.is_nil(written)
    assert.matches("EBADF", message)
    assert.is_true(opened:close())
    assert.is_true(opened:close())
    assert.same({ nil, "the file is closed" }, { opened:read(1) })
    assert.same({ nil, "the file is closed" }, { opened:write "x" })
    assert.same({ nil, "the file is closed" }, { opened:stat() })
  end)

  everywhere("knows what it has open, whatever its path means by now", function()
    local opened <close> = assert(file.open(folder .. "/text", "r"))
    assert(uv.fs_unlink(folder .. "/text"))
    assert.equal(11, (opened:stat()))
    assert.equal("hello", opened:read(5, 0))
  end)

  it("is closed with its block, and by the collector when it was forgotten", function()
    local path = uv.fs_realpath(folder .. "/text")
    do
      local opened <close> = assert(file.open(path, "r"))
      assert.equal(1, descriptors(path))
      assert.equal("hello", opened:read(5))
    end
    assert.equal(0, descriptors(path))
    testing.run(function()
      assert(file.open(path, "r"))
    end)
    collectgarbage()
    collectgarbage()
    assert.equal(0, descriptors(path))
  end)

  it("is not woken by anybody but its own operation", function()
    testing.run(function()
      local thread, strays = coroutine.running(), 0
      local timer = uv.new_timer()
      timer:start(0, 1, function()
        strays = strays + 1
        coroutine.resume(thread)
      end)
      local opened <close> = assert(file.open(folder .. "/text", "r"))
      repeat
        assert.equal("hello", opened:read(5, 0))
      until strays >= 3
      timer:close()
    end)
  end)

  it("stays open until a read has come back when its coroutine is cancelled", function()
    local path = uv.fs_realpath(folder .. "/text")
    local opened = assert(file.open(path, "r"))
    local thread = coroutine.create(function()
      local mine <close> = opened
      mine:read(5, 0)
      error "never here"
    end)
    assert(coroutine.resume(thread))
    assert.equal("suspended", coroutine.status(thread))
    assert.equal(1, descriptors(path))
    assert(coroutine.close(thread))
    assert.same({ nil, "the file is closed" }, { opened:read(5, 0) })
    turn_until(function() return descriptors(path) == 0 end)
  end)

  it("is closed when it comes after whoever opened it was cancelled", function()
    local path = uv.fs_realpath(folder .. "/text")
    local thread = coroutine.create(function()
      file.open(path, "r")
      error "never here"
    end)
    assert(coroutine.resume(thread))
    assert(coroutine.close(thread))
    collectgarbage "stop" -- it would close a forgotten file too
    -- Threads take what they are given in order, so what comes after has seen the file come.
    testing.run(function()
      assert(file.open(folder .. "/other", "w")):close()
    end)
    turn_until(function() return descriptors(path) == 0 end)
    collectgarbage "restart"
  end)
end)
