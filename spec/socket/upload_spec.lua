-- Uploads over real sockets: curl's forms, files larger than the memory they may take, clients that vanish or are made
-- to wait.

local clients = require "spec.support.clients"
local json = require "sprylua.json"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uploads = require "spec.support.uploads"

local MIB = 1024 * 1024

-- What a large upload may add to the server's memory. A sanitizer keeps what was freed for a while.
local ROOM = os.getenv "ASAN_OPTIONS" and math.huge or 16 * MIB

local files = {
  ["routes/_middleware.lua"] = [[return require "sprylua.middleware.bodyLimit" { size = 1 << 32 }]],
  ["routes/form.post.lua"] = [[
    return function(event)
      local form = event.request:multipart { folder = os.getenv "UPLOADS", maxFileSize = 1 << 30 }
      local out = { fields = {}, files = {} }
      for name, value in pairs(form.fields) do out.fields[name] = value end
      for i, file in ipairs(form.files) do
        out.files[i] = { name = file.name, filename = file.filename, type = file.type, size = file.size,
          body = file.body, stored = file.path ~= nil }
        local target = event.query:get "save"
        if target then file:save(os.getenv "UPLOADS" .. "/" .. target .. i) end
      end
      return out
    end]],
  ["routes/limited.post.lua"] = [[
    return function(event)
      event.request:multipart { folder = os.getenv "UPLOADS", maxFileSize = 100000, memory = 1000 }
    end]],
  ["routes/raw.post.lua"] = [[
    return function(event)
      return { size = event.request:save(os.getenv "UPLOADS" .. "/raw") }
    end]],
  ["routes/gate.post.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      while not package.loaded.opened do spry.sleep(0.01) end
      local size = 0
      for chunk in event.request:chunks() do size = size + #chunk end
      return { size = size }
    end]],
  ["routes/open.get.lua"] = [[return function() package.loaded.opened = true return "open" end]],
  ["routes/hello.get.lua"] = [[return function() return "hello" end]],
}

describe("an upload", function()
  local running, folder

  before_each(function()
    folder = uploads.folder()
    running = server.serve(temp_routes.project(files) .. "/routes", {
      arguments = { "--log", "none" }, env = { UPLOADS = folder },
    })
  end)

  after_each(function()
    running:cleanup()
    running = nil
  end)

  local function url(path) return running.url .. path:sub(2) end

  local function curl(...)
    local done = clients.curl(...)
    assert.equal(0, done.code, done.err)
    return done.out
  end

  -- A file on the disk; only its last byte takes room.
  local function source(name, size)
    local path = temp_routes.project {} .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:seek("set", size - 1)
    file:write "x"
    file:close()
    return path
  end

  -- The most memory that the server has ever had, in bytes.
  local function peak()
    return tonumber(uploads.content(("/proc/%s/status"):format(running.pid)):match "VmHWM:%s*(%d+) kB") * 1024
  end

  local function clean(names)
    uploads.settled(folder, names)
    server.wait(function() return uploads.descriptors(folder, running.pid) == 0 end, "end of open files")
  end

  it("by curl -F has its fields, and files with whatever names", function()
    local first = source("first.txt", 10)
    local large = source("large.bin", 200000)
    local form = json.decode(curl("-F", "title=Grüße", "-F", "a\"b=1", "-F", "empty=",
      "-F", "one=@" .. first .. ';filename="ein \\"Brief\\" für dich.txt"', "-F", "two=@" .. large .. ";type=image/png",
      "-F", "three=@" .. first .. ";filename=../../etc/日本.txt", url "/form"))
    assert.same({ title = "Grüße", ['a"b'] = "1", empty = "" }, form.fields)
    local content = ("\0"):rep(9) .. "x"
    assert.same({
      { name = "one", filename = 'ein "Brief" für dich.txt', type = "text/plain", size = 10, body = content,
        stored = false },
      { name = "two", filename = "large.bin", type = "image/png", size = 200000, stored = true },
      { name = "three", filename = "日本.txt", type = "text/plain", size = 10, body = content, stored = false },
    }, form.files)
    clean()
    server.stop(running)
  end)

  it("is the file that was sent", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "wb"))
    local random = assert(io.open("/dev/urandom", "rb"))
    file:write(random:read(3 * MIB + 17), "\r\n--\r\n", random:read(100000))
    random:close()
    file:close()
    curl("-F", "file=@" .. path, url "/form?save=kept")
    curl("-X", "POST", "-T", path, url "/raw")
    clean { "kept1", "raw" }
    for _, name in ipairs { "kept1", "raw" } do
      assert.is_true(uploads.content(path) == uploads.content(folder .. "/" .. name), name)
    end
    server.stop(running)
  end)

  it("of 200 MiB takes no memory, as a form's file and as a body", function()
    local path = source("large", 200 * MIB)
    curl("-F", "title=x", "-F", "file=@" .. source("small", 100000), url "/form")
    local before = peak()
    local form = json.decode(curl("-F", "file=@" .. path, url "/form"))
    assert.equal(200 * MIB, form.files[1].size)
    assert.equal(200 * MIB, json.decode(curl("-X", "POST", "-T", path, url "/raw")).size)
    local grown = peak() - before
    assert.is_true(grown < ROOM, ("it grew by %d bytes"):format(grown))
    clean { "raw" }
    server.stop(running)
  end)

  it("over a limit is a 413, and nothing of it stays", function()
    local path = source("large", 20 * MIB)
    local done = clients.curl("-F", "file=@" .. path, "-w", " %{http_code}", url "/limited")
    assert.equal("a file is longer than maxFileSize, 100000 bytes 413", done.out, done.err)
    clean()
    server.stop(running)
  end)

  local function head(path, length)
    return table.concat({
      "POST " .. path .. " HTTP/1.1", "Host: x", "Content-Type: multipart/form-data; boundary=b",
      "Content-Length: " .. length, "", "",
    }, "\r\n")
  end

  local PART = '--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'

  for _, how in ipairs { "a FIN", "a reset" } do
    it("whose client vanishes with " .. how .. " leaves no file and no descriptor", function()
      for _, path in ipairs { "/form", "/raw" } do
        local client = server.connect(running.port)
        client:send(head(path, 100 * MIB) .. PART .. ("x"):rep(1000000))
        server.wait(function() return uploads.descriptors(folder, running.pid) == 1 end, "temporary file")
        assert.equal(1, #uploads.list(folder))
        client:close(how == "a reset")
        clean()
      end
      server.stop(running)
    end)
  end

  it("under way when the server is stopped, twice, leaves no file", function()
    local client = server.connect(running.port)
    client:send(head("/form", 100 * MIB) .. PART .. ("x"):rep(1000000))
    server.wait(function() return #uploads.list(folder) == 1 end, "temporary file")
    running:signal "TERM"
    running:says "stopping"
    running:signal "TERM"
    running:ended()
    assert.same({}, uploads.list(folder))
    client:close()
  end)

  it("that nobody reads waits at its client", function()
    local client = server.connect(running.port)
    local before, size = peak(), 64 * MIB
    client:send(head("/gate", size))
    for _ = 1, 64 do client:send(("x"):rep(MIB)) end
    for _ = 1, 20 do assert.equal("hello", (running:get "/hello")) end
    assert.is_true(client.tcp:get_write_queue_size() > size // 2)
    assert.equal("open", (running:get "/open"))
    assert.equal(size, json.decode(client:answer("POST", 60).body).size)
    local grown = peak() - before
    assert.is_true(grown < ROOM, ("it grew by %d bytes"):format(grown))
    client:close()
    server.stop(running)
  end)
end)
