-- curl against a real server: requests, uploads, keep-alive, and the handshakes that the tutorials make with it.

local clients = require "spec.support.clients"
local frames = require "sprylua.testing.frames"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local files = {
  ["sprylua.config.lua"] = "return { limits = { body = 4 * 1024 * 1024 } }",
  ["routes/index.lua"] = [[return function(event) return event.method .. " " .. event.path end]],
  ["routes/about.get.lua"] = [[return function() return "about" end]],
  ["routes/size.lua"] = [[
    return function(event)
      local size, sum = 0, 0
      for chunk in event.request:chunks() do
        size = size + #chunk
        for at = 1, #chunk, 1024 do sum = (sum + chunk:byte(at)) % 65536 end
      end
      return { method = event.method, size = size }
    end]],
  ["routes/form.post.lua"] = [[
    return function(event)
      local form = event.request:form()
      return { name = form:get "name", all = form:getAll "x" }
    end]],
  ["routes/files.post.lua"] = [[
    return function(event)
      local form = event.request:multipart()
      local file = form.files[1]
      return { name = form.fields:get "name", file = file.filename, size = #file.body }
    end]],
  ["routes/ignore.post.lua"] = [[return function() return "not read" end]],
  ["routes/stream.get.lua"] = [[
    local Response = require "sprylua".Response
    return function()
      return Response.stream(function(write)
        for i = 1, 100 do write(("%04d"):format(i):rep(1000)) end
      end)
    end]],
  ["routes/ws.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        ws:sendText "hello curl"
        ws.events:drain()
      end)
    end]],
}

describe("curl", function()
  local running

  local function serve(arguments)
    running = server.serve(temp_routes.project(files) .. "/routes", { arguments = arguments })
    return running
  end

  local function url(path)
    return running.url .. path:sub(2)
  end

  -- The answer's status, head and body; the interim answers before it are in `interim`.
  local function curl(...)
    local done = clients.curl("--include", ...)
    assert.equal("", done.err)
    assert.equal(0, done.code)
    local text, interim = done.out, {}
    while true do
      local head, body = text:match "^(HTTP/1%.[01] .-\r\n)\r\n(.*)$"
      assert.truthy(head, text)
      local status = tonumber(head:match "^HTTP/1%.[01] (%d%d%d) ")
      if status >= 200 or status == 101 then return status, head:lower(), body, interim end
      interim[#interim + 1], text = status, body
    end
  end

  local function body_file(size)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write((("0123456789abcdef"):rep(64)):rep(size // 1024), ("x"):rep(size % 1024))
    file:close()
    finally(function() os.remove(path) end)
    return path
  end

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  describe("requests", function()
    before_each(function() serve() end)

    after_each(function() server.stop(running) end)

    it("GET, with its framing", function()
      local status, head, body = curl(url "/?a=b%20c")
      assert.equal(200, status)
      assert.equal("GET /?a=b%20c", body)
      assert.truthy(head:find("\r\ncontent-length: 13\r\n", 1, true), head)
      assert.truthy(head:find "\r\ncontent%-type: text/plain; charset=utf%-8\r\n", head)
      assert.truthy(head:find "\r\ndate: %a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d gmt\r\n", head)
    end)

    it("HEAD by -I: the head of GET, without a body", function()
      local status, head, body = curl("-I", url "/about")
      assert.equal(200, status)
      assert.equal("", body)
      assert.truthy(head:find("\r\ncontent-length: 5\r\n", 1, true), head)
    end)

    it("--http1.0 is answered, and closed", function()
      local status, head, body = curl("--http1.0", url "/about")
      assert.equal(200, status)
      assert.equal("about", body)
      assert.truthy(head:find("\r\nconnection: close\r\n", 1, true), head)
    end)

    it("--http1.0 gets a stream without chunks", function()
      local status, head, body = curl("--http1.0", "--raw", url "/stream")
      assert.equal(200, status)
      assert.is_nil(head:find("transfer-encoding", 1, true))
      assert.equal(400000, #body)
    end)

    it("a chunked stream arrives whole", function()
      local status, head, body = curl(url "/stream")
      assert.equal(200, status)
      assert.truthy(head:find("\r\ntransfer-encoding: chunked\r\n", 1, true), head)
      assert.equal(400000, #body)
      assert.equal("01000100", body:sub(-8))
    end)

    it("OPTIONS, a wrong method, and a path that is not there", function()
      local status, head = curl("-X", "OPTIONS", url "/about")
      assert.equal(204, status)
      assert.truthy(head:find("\r\nallow: get, head, options\r\n", 1, true), head)
      status, head = curl("-X", "DELETE", url "/about")
      assert.equal(405, status)
      assert.truthy(head:find("\r\nallow: get, head, options\r\n", 1, true), head)
      assert.equal(404, (curl(url "/nowhere")))
    end)

    it("POST of a form, and of a file", function()
      local status, _, body = curl("-d", "name=J%C3%B6rg", "-d", "x=1", "-d", "x=2", url "/form")
      assert.equal(200, status)
      local form = require("sprylua.json").decode(body)
      assert.equal("Jörg", form.name)
      assert.same({ "1", "2" }, form.all)
      local path = body_file(5000)
      status, _, body = curl("-F", "name=x", "-F", "upload=@" .. path .. ";filename=a b.txt", url "/files")
      assert.equal(200, status)
      local seen = require("sprylua.json").decode(body)
      assert.same({ name = "x", file = "a b.txt", size = 5000 }, seen)
    end)

    it("POST of a smaller file comes without asking", function()
      local status, _, body, interim = curl("--data-binary", "@" .. body_file(700000), url "/size")
      assert.equal(200, status)
      assert.same({ method = "POST", size = 700000 }, require("sprylua.json").decode(body))
      assert.same({}, interim)
    end)

    it("an upload over 1 MiB asks first: 100, then all of it", function()
      local size = 3 * 1024 * 1024 + 17
      local status, _, body, interim = curl("-T", body_file(size), url "/size")
      assert.equal(200, status)
      assert.same({ 100 }, interim)
      assert.equal(size, require("sprylua.json").decode(body).size)
    end)

    it("an upload over the limit is a 413, and nothing of it is sent", function()
      local done = clients.curl("-T", body_file(5 * 1024 * 1024), "-o", "/dev/null", "-w",
        "%{http_code} %{size_upload}", url "/size")
      assert.equal("413 0", done.out, done.err)
    end)

    it("an upload that nobody reads is answered all the same", function()
      local done = clients.curl("-X", "POST", "-T", body_file(2 * 1024 * 1024), "-w", " %{http_code} %{size_upload}",
        url "/ignore")
      assert.equal("not read 200 0", done.out, done.err)
    end)

    it("a chunked upload, within the limit and over it", function()
      local status, _, body = curl("-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-T", body_file(200000),
        url "/size")
      assert.equal(200, status)
      assert.equal(200000, require("sprylua.json").decode(body).size)
      status = curl("-H", "Transfer-Encoding: chunked", "-T", body_file(5 * 1024 * 1024), url "/size")
      assert.equal(413, status)
    end)

    it("one connection for many requests", function()
      local done = clients.curl("-w", "%{num_connects}", "-o", "/dev/null", url "/", "-o", "/dev/null", url "/about",
        "-o", "/dev/null", url "/nowhere", "-o", "/dev/null", url "/stream", "-o", "/dev/null", url "/")
      assert.equal("10000", done.out, done.err)
    end)

    it("one connection after an upload as well, and a new one after Connection: close", function()
      local path = body_file(100000)
      local done = clients.curl("-w", "%{num_connects}", "-T", path, "-o", "/dev/null", url "/size",
        "-T", path, "-o", "/dev/null", url "/size")
      assert.equal("10", done.out, done.err)
      done = clients.curl("-w", "%{num_connects}", "-H", "Connection: close", "-o", "/dev/null", url "/",
        "-o", "/dev/null", url "/")
      assert.equal("11", done.out, done.err)
    end)

    it("many connections at once", function()
      local words = { "--parallel", "--parallel-immediate", "--parallel-max", "50", "-w", "%{http_code} " }
      for i = 1, 200 do
        words[#words + 1] = "-o"
        words[#words + 1] = "/dev/null"
        words[#words + 1] = url("/?n=" .. i)
      end
      local done = clients.curl(table.unpack(words))
      assert.equal(("200 "):rep(200), done.out, done.err)
    end)
  end)

  describe("handshakes", function()
    local seed = { "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13" }

    local function with(...)
      local words = { table.unpack(seed) }
      for _, word in ipairs { ... } do words[#words + 1] = word end
      return table.unpack(words)
    end

    it("as in the tutorial say that the key is missing", function()
      running = server.serve "routes"
      local status, _, body = curl(with(url "/chat"))
      assert.equal(400, status)
      assert.truthy(body:find("Sec-WebSocket-Key", 1, true), body)
      server.stop(running)
    end)

    it("with a key are a 101 with the right answer, and a message", function()
      running = server.serve "routes"
      local key = "Sec-WebSocket-Key: " .. frames.key
      local child <close> = clients.start_curl(with("--include", "-H", key, url "/chat"))
      local head = child:saw "^HTTP/1%.1 101 .-\r\n\r\n"
      assert.truthy(head:lower():find "\r\nupgrade: websocket\r\n", head)
      assert.truthy(head:lower():find "\r\nconnection: upgrade\r\n", head)
      assert.truthy(head:find("\r\nSec-WebSocket-Accept: " .. frames.accept .. "\r\n", 1, true), head)
      assert.is_nil(head:lower():find "content%-length")
      child:saw "\r\n\r\n\x81\x23Connected to Spry WebSocket server!$"
      child:kill() -- curl would wait for ever
      server.stop(running)
    end)

    it("of a client that is none are answered in HTTP", function()
      running = server.serve "routes"
      local status, _, body = curl(url "/chat")
      assert.equal(200, status)
      assert.equal("This endpoint supports WebSocket connections", require("sprylua.json").decode(body).message)
      server.stop(running)
    end)

    local key = "Sec-WebSocket-Key: " .. frames.key

    local refusals = {
      { "no upgrade at all", 426, {}, "upgrade: websocket" },
      { "another version", 426, {
        "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 8", "-H", key,
      }, "sec-websocket-version: 13" },
      { "another method", 405, { "-X", "POST", with("-H", key) }, "allow: get" },
      { "a foreign page", 403, { with("-H", key, "-H", "Origin: https://elsewhere.example") } },
      { "a key that is none", 400, { with("-H", "Sec-WebSocket-Key: short") } },
    }
    for _, case in ipairs(refusals) do
      local name, expected, words, field = table.unpack(case, 1, 4)
      it(("with %s are a %d, and the connection goes on"):format(name, expected), function()
        serve()
        local list = { table.unpack(words) }
        list[#list + 1] = url "/ws"
        local status, head, body = curl(table.unpack(list))
        assert.equal(expected, status)
        assert.truthy(#body > 20, body)
        if field then assert.truthy(head:find("\r\n" .. field .. "\r\n", 1, true), head) end
        list[#list + 1] = url "/ws"
        local done = clients.curl("-w", "%{num_connects}%{http_code} ", "-o", "/dev/null", "-o", "/dev/null",
          table.unpack(list))
        assert.equal(("1%d 0%d "):format(expected, expected), done.out)
        server.stop(running)
      end)
    end

    it("from a page of the same host are welcome", function()
      serve()
      local child <close> = clients.start_curl(with("--include", "-H", key, "-H",
        "Origin: http://127.0.0.1:" .. running.port, url "/ws"))
      child:saw "^HTTP/1%.1 101 .*hello curl$"
      child:kill()
      server.stop(running)
    end)

    it("are a 501 with --no-websocket, and the hybrid routes answer in HTTP", function()
      serve { "--no-websocket" }
      local status, _, body = curl(with("-H", key, url "/ws"))
      assert.equal(501, status)
      assert.truthy(#body > 20, body)
      server.stop(running)
      running:cleanup()
      running = server.serve("routes", { arguments = { "--no-websocket" } })
      assert.equal(200, (curl(with("-H", key, url "/chat"))))
      server.stop(running)
    end)
  end)
end)
