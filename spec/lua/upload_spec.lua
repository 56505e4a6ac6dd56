local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local uploads = require "spec.support.uploads"

describe("event.request:multipart", function()
  local folder
  before_each(function() folder = uploads.folder() end)

  -- What `read(form, event)` makes of a form, with these options.
  local function post(parts, opts, read)
    local result
    local app <close> = temp_routes.app({ ["index.lua"] = function(event)
      opts = opts or {}
      opts.folder = opts.folder or folder
      result = read(event.request:multipart(opts), event)
      return "ok"
    end }, { config = { limits = { body = 1 << 22 } } })
    local res = app:post("/", uploads.form(parts))
    return result, res, app.log
  end

  local function refused(status, sentence, parts, opts)
    local _, res = post(parts, opts, function() end)
    assert.equal(status, res.status, res.body)
    assert.matches(sentence, res.body)
    uploads.settled(folder)
    assert.equal(0, uploads.descriptors(folder))
  end

  local function file(content, opts)
    local made = { name = "doc", filename = "a.txt", content }
    for key, value in pairs(opts or {}) do made[key] = value end
    return made
  end

  it("gives fields and files", function()
    post({
      { name = "title", "Hello" }, file("12345", { type = "text/csv" }), { name = "title", "again" },
      { name = "empty", "" }, file("", { filename = "../b" }),
    }, nil, function(form)
      assert.equal("Hello", form.fields:get "title")
      assert.same({ "Hello", "again" }, form.fields:getAll "title")
      assert.equal("", form.fields:get "empty")
      assert.equal(2, #form.files)
      local first, second = table.unpack(form.files)
      assert.same({ "doc", "a.txt", "text/csv", 5, "12345" },
        { first.name, first.filename, first.type, first.size, first.body })
      assert.is_nil(first.path)
      assert.same({ "b", "text/plain", 0, "" }, { second.filename, second.type, second.size, second.body })
      assert.equal(first, form.files:get "doc")
      assert.same({ first, second }, form.files:getAll "doc")
      assert.is_nil(form.files:get "title")
    end)
    uploads.settled(folder)
  end)

  it("leaves out a file input where nothing was chosen, but not one without a name", function()
    post({ file("", { filename = "" }), file("x", { filename = "" }) }, nil, function(form)
      assert.equal(1, #form.files)
      assert.equal("file", form.files[1].filename)
      assert.equal("x", form.files[1].body)
    end)
  end)

  it("keeps in memory what is not longer than `memory`", function()
    local seen = post({ file("12345"), file("123456"), file "" }, { memory = 5 }, function(form)
      assert.equal("12345", form.files[1].body)
      assert.equal("", form.files[3].body)
      local large = form.files[2]
      assert.is_nil(large.body)
      assert.equal(6, large.size)
      assert.equal("123456", uploads.content(large.path))
      assert.equal(0, uploads.descriptors(folder))
      return large.path
    end)
    assert.equal(folder .. "/", seen:match "^.*/")
    uploads.settled(folder)
  end)

  it("keeps nothing but empty files in memory with `memory` 0", function()
    post({ file("1"), file "" }, { memory = 0 }, function(form)
      assert.is_string(form.files[1].path)
      assert.equal("", form.files[2].body)
    end)
    uploads.settled(folder)
  end)

  it("refuses what is over a limit, and leaves nothing", function()
    refused(413, "more files than maxFiles, 1$", { file "1", file "2" }, { maxFiles = 1, memory = 0 })
    refused(413, "more files than maxFiles, 0$", { file "" }, { maxFiles = 0 })
    refused(413, "longer than maxFileSize, 3 bytes$", { file "1234" }, { maxFileSize = 3, memory = 0 })
    refused(413, "longer than maxFileSize, 3 bytes$", { file "12", file "1234" }, { maxFileSize = 3 })
    refused(413, "more fields than maxFields, 1$", { { name = "a", "" }, { name = "b", "" } }, { maxFields = 1 })
    refused(413, "maxFieldsSize, 9 bytes", { { name = "abc", "12" }, { name = "d", "1234" } }, { maxFieldsSize = 9 })
    refused(413, "maxFieldsSize, 9 bytes", { { name = ("a"):rep(10), "" } }, { maxFieldsSize = 9 })
    refused(413, "file inputs without a file", { file("", { filename = "" }) }, { maxFields = 0 })
    refused(413, "maxFieldsSize, 1048576 bytes", { { name = "a", ("x"):rep(1024 * 1024) } })
  end)

  it("takes what is at a limit", function()
    local _, res = post({ file "123", { name = "ab", "12" } },
      { maxFiles = 1, maxFields = 1, maxFileSize = 3, maxFieldsSize = 4 }, function() end)
    assert.equal(200, res.status, res.body)
  end)

  it("has default limits", function()
    local parts = {}
    for i = 1, 21 do parts[i] = file("x") end
    refused(413, "maxFiles, 20$", parts)
    for i = 1, 1001 do parts[i] = { name = "a", "" } end
    refused(413, "maxFields, 1000$", parts)
  end)

  it("refuses options that are none", function()
    for _, opts in ipairs { { memory = -1 }, { maxFile = 1 }, { maxFiles = "3" }, { folder = 1 } } do
      local _, res, log = post({}, opts, function() end)
      assert.equal(500, res.status)
      assert.matches("event.request:multipart", log[1])
    end
  end)

  it("says what is wrong with a folder that is not there", function()
    local _, res, log = post({ file "12" }, { memory = 1, folder = folder .. "/none" }, function() end)
    assert.equal(500, res.status)
    assert.matches("no temporary file can be made in .*/none: ENOENT", log[1])
  end)

  it("leaves nothing of a body that is malformed behind a file", function()
    local form = uploads.form { file "123456" }
    local app <close> = temp_routes.app { ["index.lua"] = function(event)
      event.request:multipart { memory = 1, folder = folder }
    end }
    for _, body in ipairs { form.body:sub(1, -10), form.body:gsub("%-%-\r\n$", "x") .. "" } do
      local res = app:post("/", { body = body, headers = form.headers })
      assert.equal(400, res.status)
      assert.matches("the body is not multipart/form%-data: ", res.body)
      uploads.settled(folder)
      assert.equal(0, uploads.descriptors(folder))
    end
  end)

  it("leaves nothing when the handler raises, or is given up, or its client goes away", function()
    local reached
    local app <close> = temp_routes.app({
      ["raise.lua"] = function(event)
        event.request:multipart { memory = 1, folder = folder }
        assert.equal(1, #uploads.list(folder))
        error "boom"
      end,
      ["sleep.lua"] = function(event)
        event.request:multipart { memory = 1, folder = folder }
        reached = #uploads.list(folder)
        spry.sleep(1e6)
      end,
    }, { config = { limits = { requestTimeout = 5 } } })
    local form = uploads.form { file "123456" }
    assert.equal(500, app:post("/raise", form).status)
    assert.matches("boom", app.log[1])
    uploads.settled(folder)
    assert.equal(503, app:post("/sleep", form).status)
    assert.equal(1, reached)
    uploads.settled(folder)
    local connection = app:connect()
    connection:send(("POST /raise HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s")
      :format(form.headers["content-type"], #form.body, form.body:sub(1, -30)))
    assert.equal(1, #uploads.list(folder))
    assert.equal(1, uploads.descriptors(folder))
    connection:hangup()
    uploads.settled(folder)
    assert.equal(0, uploads.descriptors(folder))
  end)

  it("reads a form once, and gives it again", function()
    post({ file "1", { name = "a", "b" } }, nil, function(form, event)
      assert.equal(form, event.request:multipart())
      assert.has_error(function() event.request:text() end)
    end)
  end)

  it("reads a form of a body that has been read as a whole", function()
    local app <close> = temp_routes.app { ["index.lua"] = function(event)
      local size = #event.request:text()
      return { size = size, a = event.request:multipart().fields:get "a", again = #event.request:text() }
    end }
    local form = uploads.form { { name = "a", "b" } }
    assert.same({ size = #form.body, a = "b", again = #form.body }, app:post("/", form):json())
  end)

  it("fails again, in the same way, when it has failed", function()
    local app <close> = temp_routes.app { ["index.lua"] = function(event)
      local _, first = pcall(event.request.multipart, event.request, { maxFiles = 0 })
      local _, second = pcall(event.request.multipart, event.request)
      local _, third = pcall(event.request.text, event.request)
      return { first.status, rawequal(first, second), rawequal(first, third) }
    end }
    assert.same({ 413, true, true }, app:post("/", uploads.form { file "1" }):json())
  end)
end)
