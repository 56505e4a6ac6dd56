local temp_routes = require "spec.support.temp_routes"
local temporary_file = require "sprylua.temporary_file"
local uploads = require "spec.support.uploads"
local uv = require "luv"

describe("a temporary file", function()
  local folder
  before_each(function() folder = uploads.folder() end)

  -- Runs `use(event)` in a handler.
  local function during(use)
    local app <close> = temp_routes.app { ["index.lua"] = function(event)
      use(event)
      return "ok"
    end }
    assert.equal("ok", app:get("/").body, table.concat(app.log, "\n"))
  end

  it("is there while its request runs, for its owner alone", function()
    during(function(event)
      local temporary = temporary_file.new(event, folder)
      temporary:write "abc"
      temporary:write "def"
      temporary:finish()
      assert.equal("abcdef", uploads.content(temporary.path))
      assert.equal(384, uv.fs_stat(temporary.path).mode & 511)
    end)
    uploads.settled(folder)
  end)

  it("is closed and gone when it was not finished", function()
    during(function(event)
      temporary_file.new(event, folder):write "abc"
      assert.equal(1, uploads.descriptors(folder))
    end)
    assert.equal(0, uploads.descriptors(folder))
    uploads.settled(folder)
  end)

  it("is in the system's folder, when no other is named", function()
    during(function(event)
      assert.equal(uv.os_tmpdir() .. "/", temporary_file.new(event).path:match "^.*/")
    end)
  end)

  it("has a name that nobody else has", function()
    during(function(event)
      local seen = {}
      for _ = 1, 20 do
        local path = temporary_file.new(event, folder).path
        assert.is_nil(seen[path])
        seen[path] = true
      end
    end)
    uploads.settled(folder)
  end)

  it("stays when it was saved, also when the same name is taken again", function()
    during(function(event)
      local temporary = temporary_file.new(event, folder)
      temporary:write "abc"
      temporary:save(folder .. "/kept", {})
    end)
    uploads.settled(folder, { "kept" })
    assert.equal("abc", uploads.content(folder .. "/kept"))
  end)

  it("is beside a path with or without a folder", function()
    during(function(event)
      assert.equal(folder .. "/", temporary_file.beside(event, folder .. "/x").path:match "^.*/")
      assert.equal("./", temporary_file.beside(event, "x").path:match "^.*/")
    end)
  end)

  it("is not made when the request is over", function()
    local kept
    during(function(event) kept = event end)
    assert.has_error(function() temporary_file.new(kept, folder) end)
    assert.same({}, uploads.list(folder))
  end)

  it("says that the disk is full", function()
    local full = uv.fs_stat "/dev/full"
    if not full then return pending "there is no /dev/full" end
    during(function(event)
      local temporary = temporary_file.new(event, folder)
      temporary.file:close()
      temporary.file = assert(require("sprylua.file").open("/dev/full", "w"))
      temporary:write "x"
      local ok, message = pcall(temporary.finish, temporary)
      assert.is_false(ok)
      assert.matches("ENOSPC", message)
    end)
    uploads.settled(folder)
  end)
end)
