-- Files over real sockets, as curl asks for them: parts, conditions, compressed ones; and what clients that are slow or
-- leave must not cost: memory, and open descriptors.

local clients = require "spec.support.clients"
local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local MIB = 1024 * 1024
local LARGE = 256 * MIB

describe("files over sockets", function()
  local running, folder, connected

  before_each(function()
    connected = {}
    folder = temp_routes.project {
      ["routes/index.lua"] = "return function() return 'hello' end",
      ["public/a.txt"] = ("0123456789"):rep(100),
      ["public/page.html"] = "<p>page",
    }
    local large = assert(io.open(folder .. "/public/large.bin", "wb"))
    large:seek("set", LARGE - 1)
    large:write "!"
    large:close() -- before the server inherits it
    assert.is_true(os.execute(("gzip -k '%s/public/page.html'"):format(folder)))
    -- A sanitizer's own store of freed memory would be measured with the rest.
    local sanitizer = (os.getenv "ASAN_OPTIONS" or "") .. ":quarantine_size_mb=1"
    running = server.serve(folder .. "/routes", { arguments = { "--log", "none" }, env = { ASAN_OPTIONS = sanitizer } })
  end)

  after_each(function()
    for _, client in ipairs(connected) do client:close() end
    running:cleanup()
  end)

  local function curl(...)
    local done = clients.curl(...)
    assert.equal("", done.err)
    assert.equal(0, done.code)
    return done.out
  end

  local function url(path)
    return running.url .. path
  end

  local function path_in_tmp()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    return path
  end

  local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
  end

  -- A client that asks for a file and then does not read.
  local function stopped(path)
    local client = server.connect(running.port)
    connected[#connected + 1] = client
    client:pause()
    client:send(http.request("GET", path))
    return client
  end

  local function peak()
    return tonumber(read(("/proc/%s/status"):format(running.pid)):match "VmHWM:%s*(%d+) kB") * 1024
  end

  -- The server's descriptors that lead into public/.
  local function open_files()
    local fds, count = ("/proc/%s/fd/"):format(running.pid), 0
    for name in uv.fs_scandir_next, assert(uv.fs_scandir(fds)) do
      local target = uv.fs_readlink(fds .. name)
      if target and target:find("/public/", 1, true) then count = count + 1 end
    end
    return count
  end

  it("come in part, and whole again", function()
    assert.equal("234", curl("--range", "2-4", url "a.txt"))
    assert.equal("789", curl("--range", "-3", url "a.txt"))
    local parts = curl("--range", "0-1,5-6", url "a.txt")
    assert.matches("^%-%-[%w_-]+\r\n.-bytes 0%-1/1000\r\n\r\n01\r\n", parts)
    assert.matches("bytes 5%-6/1000\r\n\r\n56\r\n%-%-[%w_-]+%-%-\r\n$", parts)
    assert.equal("416", curl("--range", "1000-", "--write-out", "%{http_code}", "--output", "/dev/null", url "a.txt"))
    assert.equal("!", curl("--range", LARGE - 1 .. "-", url "large.bin"))
    local part = path_in_tmp()
    do
      local file <close> = assert(io.open(part, "wb"))
      file:write(("0123456789"):rep(33))
    end
    curl("--continue-at", "-", "--output", part, url "a.txt")
    assert.equal(("0123456789"):rep(100), read(part))
  end)

  it("come in part under If-Range while they are the same", function()
    local etag = curl("--head", url "a.txt"):match 'etag: ("[^\r]*")'
    assert.equal("01", curl("--range", "0-1", "--header", "If-Range: " .. etag, url "a.txt"))
    assert.equal(1000, #curl("--range", "0-1", "--header", 'If-Range: "other"', url "a.txt"))
  end)

  it("do not come to who has them", function()
    local etags, body = path_in_tmp(), path_in_tmp()
    local function ask()
      return curl("--etag-compare", etags, "--etag-save", etags, "--write-out", "%{http_code} %{size_download}",
        "--output", body, url "a.txt")
    end
    assert.equal("200 1000", ask())
    assert.equal("304 0", ask())
    local file = folder .. "/public/a.txt" -- curl asks by its date
    assert.equal("304", curl("--time-cond", file, "--write-out", "%{http_code}", "--output", body, url "a.txt"))
  end)

  it("come compressed when they lie there compressed", function()
    assert.equal("<p>page", curl("--compressed", url "page.html"))
    local head = curl("--head", "--header", "Accept-Encoding: gzip", url "page.html"):lower()
    assert.matches("content%-encoding: gzip\r\n", head)
    assert.matches("vary: accept%-encoding\r\n", head)
    assert.equal(uv.fs_stat(folder .. "/public/page.html.gz").size, tonumber(head:match "content%-length: (%d+)"))
  end)

  it("of any size take little memory, read to the end or not", function()
    curl("--output", "/dev/null", url "a.txt")
    local before = peak()
    assert.equal(tostring(LARGE), curl("--output", "/dev/null", "--write-out", "%{size_download}", url "large.bin"))
    for _ = 1, 16 do stopped "/large.bin" end
    server.wait(function() return open_files() == 16 end, "sixteen open files")
    for _ = 1, 50 do assert.equal("hello", curl(running.url)) end
    assert.equal(16, open_files())
    assert.truthy(peak() - before < 32 * MIB, ("%d bytes more than before"):format(peak() - before))
  end)

  it("are closed when their client leaves, stopped or in the middle of reading", function()
    local slow = clients.start_curl("--limit-rate", "1M", "--output", "/dev/null", url "large.bin")
    for _ = 1, 3 do stopped "/large.bin" end
    server.wait(function() return open_files() == 4 end, "four open files")
    slow:kill()
    for i, client in ipairs(connected) do client:close(i == 1) end
    server.wait(function() return open_files() == 0 end, "end of all files")
    assert.equal(1000, #curl(url "a.txt"))
    assert.equal("", running:err():match "error: .*" or "")
    server.stop(running)
  end)

  it("are closed when the server is stopped", function()
    stopped "/large.bin"
    server.wait(function() return open_files() == 1 end, "an open file")
    running:signal "TERM"
    running:says "stopping"
    running:signal "TERM"
    assert.equal(0, running:ended())
    assert.not_matches("Sanitizer", running:err())
  end)

  it("that go out as a whole come whole and in order, also to who asks for many and reads late", function()
    local bodies = {}
    for i = 1, 4 do
      bodies[i] = ("%d"):format(i):rep(60000 + i)
      local file <close> = assert(io.open(("%s/public/block%d.bin"):format(folder, i), "wb"))
      file:write(bodies[i])
    end
    local client = server.connect(running.port)
    connected[#connected + 1] = client
    local requests = {}
    for i = 1, 200 do
      requests[i] = http.request("GET", i % 5 == 0 and "/" or ("/block%d.bin"):format(i % 5))
    end
    client:send(table.concat(requests))
    server.sleep(0.1)
    for i = 1, 200 do assert.is_true(client:answer().body == (i % 5 == 0 and "hello" or bodies[i % 5]), i) end
    server.stop(running)
  end)

  it("that become shorter while they are sent end with the connection", function()
    local client = stopped "/large.bin"
    server.wait(function() return open_files() == 1 end, "an open file")
    assert(uv.fs_open(folder .. "/public/large.bin", "w", 0))
    client:read()
    local received = client:readAll()
    assert.truthy(received:find("Content-Length: " .. LARGE, 1, true))
    assert.truthy(#received < LARGE)
    assert.equal("hello", curl(running.url))
  end)
end)
