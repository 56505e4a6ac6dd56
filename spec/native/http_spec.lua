-- Responses on the wire (RFC 9112 sections 4, 6 and 7, RFC 9110 section 6.6.1): framing that says what is sent, also
-- when the handler fails half way, and answers that the core gives by itself. What a request may be has spec files of
-- its own, http_*_spec.lua.

local cases = require "spec.support.http_cases"

local to = cases.to

after_each(cases.clean)

local GET = "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"

local function get(path, version) return cases.request(("GET %s HTTP/%s"):format(path, version or "1.1"),
  { "Host: a" }) end

describe("a response", function()
  it("has a status line, a Date of now, and its length", function()
    local before = os.time()
    local bytes = cases.app():connect():feed(GET).bytes
    local date = bytes:match "^HTTP/1%.1 200 OK\r\nDate: ([^\r]+)\r\n"
    assert.truthy(date)
    local found = false
    for second = before, os.time() do found = found or date == os.date("!%a, %d %b %Y %H:%M:%S GMT", second) end
    assert.is_true(found, date)
    assert.truthy(bytes:find("\r\nContent-Length: 3\r\n", 1, true))
    assert.equal("\r\n\r\ngot", bytes:sub(-7))
  end)

  it("is a chunked stream when its length is not known", function()
    local bytes = cases.app():connect():feed(get "/stream").bytes
    assert.truthy(bytes:find("\r\nTransfer-Encoding: chunked\r\n", 1, true))
    assert.equal("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", bytes:match "\r\n\r\n.*")
  end)

  cases.all {
    { "that streams keeps the connection", get "/stream" .. GET, { 200, 200 }, body = { "onetwo", "got" } },
    { "that streams with a length keeps the connection", get "/sized" .. GET, { 200, 200 }, body = { "onetwo",
      "got" } },
    { "that fails is a 500", get "/error" .. GET, { 500, 200 }, closed = false, body = { "failed", "got" } },
  }
end)

describe("a stream that fails half way", function()
  it("lacks its last chunk, and ends the connection", function()
    local app = cases.app()
    local peer = app:connect():feed(get "/broken" .. GET)
    assert.is_true(peer:closed())
    assert.is_nil(peer.bytes:find("\r\n0\r\n", 1, true))
    assert.equal(0, #cases.responses(peer))
    assert.same({ "GET /broken" }, app.seen)
  end)

  it("leaves the answers before it whole", function()
    local peer = cases.app():connect():feed(GET .. get "/broken" .. GET)
    assert.is_true(peer:closed())
    assert.equal("got", cases.responses(peer)[1].body)
    assert.is_nil(peer.bytes:find("\r\n0\r\n", 1, true))
  end)

  it("is broken off in HTTP/1.0, where the end of the connection would be its end", function()
    local peer = cases.app():connect():feed(get("/broken", "1.0"))
    assert.is_true(peer:closed())
  end)
end)

describe("an answer of the core's own", function()
  it("is complete, says that the connection ends, and why", function()
    local peer = cases.app():connect():feed "GET / HTTP/1.1\r\n\r\n"
    local answer = cases.responses(peer)[1]
    assert.equal("HTTP/1.1 400 Bad Request", peer.bytes:match "^[^\r]+")
    assert.equal("close", answer.headers:get "connection")
    assert.equal("text/plain; charset=utf-8", answer.headers:get "content-type")
    assert.equal("the Host header is missing\n", answer.body)
    assert.equal(tostring(#answer.body), answer.headers:get "content-length")
  end)

  it("comes once, whatever the client sends behind it", function()
    local app = cases.app()
    local peer = app:connect():feed "GET / HTTP/1.1\r\n\r\n"
    for _ = 1, 10 do peer:feed(GET) end
    assert.equal(1, #cases.responses(peer))
    assert.same({}, app.seen)
    assert.same({ 400 }, app.refused)
  end)

  it("is a 503 where there are too many connections", function()
    local app = cases.app { connections = 1 }
    local first, second = app:connect(), app:connect():look()
    assert.equal(503, cases.responses(second)[1].status)
    assert.is_true(second:closed())
    assert.equal("got", cases.responses(first:feed(GET))[1].body)
  end)
end)

describe("a connection that is lost", function()
  it("is forgotten wherever it is", function()
    local bytes = to("POST /echo", { "Transfer-Encoding: chunked" }, "2\r\nhi\r\n0\r\n\r\n") ..
      get "/stream" .. get "/park" .. get "/get"
    for i = 0, #bytes do
      local app = cases.app()
      local peer = app:connect():feed(bytes:sub(1, i))
      peer.connection:hangup()
      if app.parked[1] then app:release() end
      app.core:settle()
      local stats = app.core:stats()
      assert.same({ 0, 0 }, { stats.connections, stats.tasks }, "after byte " .. i)
    end
  end)
end)
