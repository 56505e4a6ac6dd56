local form_file = require "sprylua.form_file"
local temp_routes = require "spec.support.temp_routes"
local uploads = require "spec.support.uploads"
local uv = require "luv"

describe("an uploaded file", function()
  local folder, target
  before_each(function()
    folder, target = uploads.folder(), uploads.folder()
  end)

  local LARGE = ("0123456789abcdef"):rep(12345)

  -- Calls `use(file)` in a handler, for a file in memory and for a temporary one.
  local function each(use)
    for _, content in ipairs { "small", LARGE } do
      local app <close> = temp_routes.app { ["index.lua"] = function(event)
        local file = event.request:multipart({ folder = folder }).files[1]
        use(file, content)
        return "ok"
      end }
      local res = app:post("/", uploads.form { { name = "doc", filename = "a.txt", content } })
      assert.equal("ok", res.body, table.concat(app.log, "\n"))
      uploads.settled(folder)
      assert.equal(0, uploads.descriptors(folder))
    end
  end

  it("is read whole, and in pieces", function()
    each(function(file, content)
      assert.equal(content, file:read())
      local pieces = {}
      for bytes in file:chunks() do pieces[#pieces + 1] = bytes end
      assert.equal(content, table.concat(pieces))
      assert.is_true(#content < 65536 or #pieces > 1)
    end)
  end)

  it("has no pieces when it is empty", function()
    for _ in form_file.new({}, nil, { body = "", size = 0 }):chunks() do error "a piece" end
  end)

  it("is closed when its pieces are not all read", function()
    each(function(file)
      for bytes in file:chunks() do if bytes then break end end
      assert.equal(0, uploads.descriptors(folder))
    end)
  end)

  it("is saved, and stays", function()
    local n = 0
    each(function(file, content)
      n = n + 1
      local path = target .. "/saved" .. n
      file:save(path)
      assert.equal(path, file.path)
      assert.equal(content, uploads.content(path))
      assert.equal(content, file:read())
      assert.equal(384, uv.fs_stat(path).mode & 511)
      assert.same({}, uploads.list(folder))
    end)
    uploads.settled(target, { "saved1", "saved2" })
  end)

  it("is saved more than once", function()
    each(function(file, content)
      local size = #content
      file:save(target .. "/a" .. size)
      file:save(target .. "/b" .. size)
      assert.equal(content, uploads.content(target .. "/a" .. size))
      assert.equal(content, uploads.content(target .. "/b" .. size))
    end)
    uploads.settled(target, { "a197520", "a5", "b197520", "b5" })
  end)

  it("does not overwrite, unless it is told to", function()
    each(function(file, content)
      local path = target .. "/there"
      local made = assert(io.open(path, "w"))
      made:write "old"
      made:close()
      local ok, message = pcall(file.save, file, path)
      assert.is_false(ok)
      assert.matches("there can't be saved: there is such a file already; { overwrite = true } replaces it", message)
      assert.equal("old", uploads.content(path))
      file:save(path, { overwrite = true })
      assert.equal(content, uploads.content(path))
    end)
    uploads.settled(target, { "there" })
  end)

  it("gets the permissions that it is to have", function()
    each(function(file, content)
      local path = target .. "/" .. #content
      file:save(path, { mode = tonumber("640", 8) })
      assert.equal(tonumber("640", 8), uv.fs_stat(path).mode & 511)
    end)
  end)

  it("says why it can't be saved, and can be saved elsewhere then", function()
    each(function(file, content)
      local ok, message = pcall(file.save, file, target .. "/none/x")
      assert.is_false(ok)
      assert.matches("ENOENT", message)
      file:save(target .. "/" .. #content)
      assert.equal(content, uploads.content(target .. "/" .. #content))
    end)
  end)

  it("is itself an answer", function()
    local app <close> = temp_routes.app { ["index.lua"] = function(event)
      return event.request:multipart { folder = folder }
    end }
    local form = app:post("/", uploads.form {
      { name = "a", "b" }, { name = "doc", filename = "a.txt", "x" }, { name = "doc", filename = "b.txt", LARGE },
    }):json()
    assert.same({ name = "doc", filename = "a.txt", type = "text/plain", size = 1, body = "x" }, form.files[1])
    assert.equal(#LARGE, form.files[2].size)
    assert.is_nil(form.files[2].body)
    uploads.settled(folder)
  end)

  it("refuses paths and options that are none", function()
    each(function(file)
      assert.has_error(function() file:save() end, "file:save takes the path of a file")
      assert.has_error(function() file:save "" end)
      assert.has_error(function() file:save "a\0b" end)
      assert.has_error(function() file:save(target .. "/x", { overwrites = true }) end)
    end)
    uploads.settled(target)
  end)

  it("is copied to where no link leads", function()
    local other = "/dev/shm"
    if (uv.fs_stat(other) or {}).dev == uv.fs_stat(folder).dev or not uv.fs_access(other, "W") then
      pending "there is only one file system to write to"
      return
    end
    each(function(file, content)
      local path = ("%s/sprylua-spec-%d-%d"):format(other, uv.os_getpid(), #content)
      file:save(path)
      local seen = uploads.content(path)
      local ok = pcall(file.save, file, path)
      os.remove(path)
      assert.equal(content, seen)
      assert.is_false(ok)
    end)
  end)
end)
