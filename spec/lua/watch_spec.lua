-- When changes of files are told, on real folders.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"
local watch = require "sprylua.watch"

teardown(temp_routes.clean)

local folder, told, running

local function write(name, content) temp_routes.write(folder, name, content or "x") end

local function is_lua(name) return name:find "%.lua$" ~= nil end

local function routes_only()
  return { { folder = folder .. "/routes", deep = true, concerns = is_lua } }
end

local function start(stamps, places)
  places = places or routes_only()
  running = watch.start(function() return places end, stamps or watch.stamps(places), function(paths)
    told[#told + 1] = paths
  end)
end

local function is_told(times)
  return server.wait(function() return told[times or 1] end, "word of a change")
end

-- What was noted before is told, and there was nothing else.
local function is_told_only(path)
  assert.same({ path }, { table.unpack(is_told()) })
  assert.equal(1, #told)
end

describe("a watch", function()
  before_each(function()
    folder, told = temp_routes.project { ["routes/a.lua"] = "", ["other/b.lua"] = "" }, {}
  end)

  after_each(function() running:stop() end)

  it("tells which files have changed, together", function()
    start()
    write "routes/a.lua"
    write "routes/new.lua"
    write "routes/a.lua"
    local paths = is_told()
    table.sort(paths)
    assert.same({ folder .. "/routes/a.lua", folder .. "/routes/new.lua" }, { table.unpack(paths) })
  end)

  it("tells of a folder that comes, of what changes in it later, and when it goes", function()
    start()
    uv.fs_mkdir(folder .. "/routes/b", 493)
    assert.same({ folder .. "/routes/b" }, { table.unpack(is_told(1)) })
    write "routes/b/c.lua"
    assert.same({ folder .. "/routes/b/c.lua" }, { table.unpack(is_told(2)) })
    os.remove(folder .. "/routes/b/c.lua")
    is_told(3)
    uv.fs_rmdir(folder .. "/routes/b")
    assert.same({ folder .. "/routes/b" }, { table.unpack(is_told(4)) })
  end)

  it("says nothing of what is no concern", function()
    start()
    write "routes/notes.txt"
    uv.fs_mkdir(folder .. "/routes/.git", 493)
    write "routes/a.lua"
    is_told_only(folder .. "/routes/a.lua")
  end)

  it("tells what was changed between the reading and the watching", function()
    write "routes/d.lua"
    local stamps = watch.stamps(routes_only())
    write("routes/a.lua", "other")
    write "routes/c.lua"
    start(stamps)
    local paths = is_told()
    table.sort(paths)
    assert.same({ folder .. "/routes/a.lua", folder .. "/routes/c.lua" }, { table.unpack(paths) })
  end)

  it("tells what is changed while it is told", function()
    local once = true
    running = watch.start(function()
      return once and {} or { { folder = folder .. "/other", concerns = is_lua } }
    end, watch.stamps {}, function(paths)
      told[#told + 1] = paths
      if once then write "other/b.lua" end -- in a place that is not known yet
      once = false
    end)
    running:note "the first"
    assert.same({ folder .. "/other/b.lua" }, { table.unpack(is_told(2)) })
  end)

  it("tells in the middle of changes that don't end", function()
    start()
    server.wait(function()
      write "routes/a.lua"
      return told[2]
    end, "word of a change")
  end)

  it("tells when the file that a link leads to changes", function()
    assert(uv.fs_symlink(folder .. "/other/b.lua", folder .. "/routes/link.lua"))
    start()
    write "other/b.lua"
    is_told_only(folder .. "/routes/link.lua")
    os.rename(folder .. "/other/b.lua", folder .. "/other/c.lua")
    is_told(2)
  end)

  it("looks at a single file only", function()
    local function is_b(name) return name == "b.lua" end
    start(nil, { { folder = folder .. "/other", file = "b.lua", concerns = is_b } })
    write "other/c.lua"
    write "other/b.lua"
    is_told_only(folder .. "/other/b.lua")
  end)

  it("goes on without a folder that is not there", function()
    start(nil, { { folder = folder .. "/nowhere", concerns = is_lua },
      { folder = folder .. "/other", concerns = is_lua } })
    write "other/b.lua"
    is_told_only(folder .. "/other/b.lua")
  end)
end)
