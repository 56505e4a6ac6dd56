-- The life of a connection (RFC 9112 section 9): when it goes on, when it ends, in which order pipelined requests are
-- answered, and what becomes of bodies that nobody reads.

local cases = require "spec.support.http_cases"

local to = cases.to

after_each(cases.clean)

local GET = "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"

local function get(...) return to("GET /get", { ... }) end
local function get_1_0(...) return cases.request("GET /get HTTP/1.0", { ... }) end

local function statuses(list)
  local found = {}
  for i, response in ipairs(list) do found[i] = response.status end
  return found
end

describe("a connection of HTTP/1.1", function()
  cases.all {
    { "goes on", GET .. GET .. GET, { 200, 200, 200 }, headers = { connection = false } },
    { "ends when the client says so", get "Connection: close" .. GET, 200, closed = true,
      headers = { connection = "close" } },
    { "ends when the client says so in any case", get "connection: Close" .. GET, 200, closed = true },
    { "ends when the client says so in a list", get "Connection: x, close ,y" .. GET, 200, closed = true },
    { "ends when the client says so among empty elements", get "Connection: ,, close" .. GET, 200, closed = true },
    { "ends when the client says so in a second field", get("Connection: keep-alive", "Connection: close") .. GET, 200,
      closed = true },
    { "ends when the client says both", get "Connection: keep-alive, close" .. GET, 200, closed = true },
    { "goes on when the client says so", get "Connection: keep-alive" .. GET, { 200, 200 } },
    { "goes on with options that are not known", get "Connection: x-close" .. GET, { 200, 200 } },
    { "goes on with an empty option", get "Connection:" .. GET, { 200, 200 } },
    { "goes on whatever Proxy-Connection says", get "Proxy-Connection: close" .. GET, { 200, 200 } },
    { "ends when the handler says so", to "GET /close" .. GET, 200, closed = true,
      headers = { connection = "close" } },
    { "ignores what comes behind the last request", get "Connection: close" .. "\0 what is this\r\n", 200,
      closed = true },
    { "goes on behind a 404", to "GET /nowhere" .. GET, { 404, 200 } },
    { "goes on behind a 405", to "DELETE /get" .. GET, { 405, 200 } },
    { "goes on behind OPTIONS *", to "OPTIONS *" .. GET, { 204, 200 }, seen = 1 },
    { "goes on behind an Upgrade that is not known", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") .. GET, { 200, 200 }, headers = { upgrade = false } },
    { "goes on behind an Upgrade with a body", to("POST /echo", { "Connection: upgrade",
      "Upgrade: h2c", "Content-Length: 2" }, "hi") .. GET, { 200, 200 }, body = { "POST:hi", "got" } },
    { "goes on behind an Upgrade that no route takes up", get("Connection: Upgrade", "Upgrade: websocket",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") .. GET, { 200, 200 } },
    { "ends behind an answer of its own", GET .. "GET / HTTP/1.1\r\n\r\n" .. GET, { 200, 400 } },
    { "that nobody used may be ended by the client", "", {}, finish = true, closed = true },
    { "may be ended by the client behind a request, which is answered", GET, 200, finish = true, closed = true },
    { "may be ended by the client behind requests, which are answered", GET .. GET, { 200, 200 }, finish = true,
      closed = true },
    { "that ends inside a request line is a 400", "GET / HT", 400, finish = true },
    { "that ends inside the headers is a 400", "GET / HTTP/1.1\r\nHost: a\r\n", 400, finish = true },
    { "that ends inside the second request is a 400", GET .. "GET / HTTP/1.1\r\nHo", { 200, 400 }, finish = true },
    { "that ends inside a body that nobody reads ends", to("POST /skip", { "Content-Length: 9" }, "hi"),
      200, finish = true, closed = true },
  }
  cases.all {
    { "goes on behind 500", to "GET /error" .. GET, { 500, 200 }, closed = false },
  }
end)

describe("a connection of HTTP/1.0", function()
  cases.all {
    { "ends", get_1_0() .. get_1_0(), 200, closed = true, headers = { connection = "close" } },
    { "goes on when the client says so", get_1_0 "Connection: keep-alive" .. get_1_0 "Connection: Keep-Alive" ..
      get_1_0(),
      { 200, 200, 200 }, closed = true },
    { "says so when it goes on", get_1_0 "Connection: keep-alive", 200, headers = { connection = "keep-alive" } },
    { "goes on when the client says so in a list", get_1_0 "Connection: x, keep-alive" .. get_1_0(), { 200, 200 },
      closed = true },
    { "ends when the client says both", get_1_0 "Connection: keep-alive, close" .. get_1_0(), 200, closed = true },
    { "goes on with a body", cases.request("POST /echo HTTP/1.0", { "Connection: keep-alive", "Content-Length: 2" },
      "hi") ..
      get_1_0(), { 200, 200 }, closed = true, body = { "POST:hi", "got" } },
    { "ignores Upgrade", get_1_0("Connection: Upgrade", "Upgrade: websocket"), 200, closed = true,
      headers = { upgrade = false } },
    { "is answered in HTTP/1.1 without chunks", cases.request "GET /stream HTTP/1.0", 200, closed = true,
      body = "onetwo",
      headers = { ["transfer-encoding"] = false, ["content-length"] = false, connection = "close" } },
    { "ends behind a stream without a length, whatever the client says",
      cases.request("GET /stream HTTP/1.0", { "Connection: keep-alive" }) .. get_1_0(), 200, closed = true,
        body = "onetwo" },
    { "goes on behind a stream with a length", cases.request("GET /sized HTTP/1.0", { "Connection: keep-alive" }) ..
      get_1_0(),
      { 200, 200 }, closed = true, body = { "onetwo", "got" } },
  }
end)

describe("pipelined requests", function()
  it("are answered in order, the later ones when the first is done", function()
    local park = to "GET /park"
    local app = cases.app()
    local peer = app:connect():feed(park .. GET .. park .. GET)
    assert.equal("", peer.bytes)
    assert.same({ "GET /park" }, app.seen)
    app:release()
    local list = cases.responses(peer:look())
    assert.same({ "parked", "got" }, { list[1].body, list[2].body })
    assert.same({ "GET /park", "GET /get", "GET /park" }, app.seen)
    peer:finish()
    assert.is_false(peer:closed())
    app:release()
    list = cases.responses(peer:look())
    assert.same({ "parked", "got", "parked", "got" }, { list[1].body, list[2].body, list[3].body, list[4].body })
    assert.is_true(peer:closed())
  end)

  it("that are broken off behind a running one are a 400 when that is done", function()
    local app = cases.app()
    local peer = app:connect():feed(to "GET /park" .. "GET / HT"):finish()
    assert.equal("", peer.bytes)
    app:release()
    assert.same({ 200, 400 }, statuses(cases.responses(peer:look())))
    assert.is_true(peer:closed())
  end)

  it("are parsed no further than a running one, and refused behind it", function()
    local app = cases.app()
    local peer = app:connect():feed(to "GET /park" .. "nonsense\r\n\r\n")
    assert.equal("", peer.bytes)
    app:release()
    assert.same({ 200, 400 }, statuses(cases.responses(peer:look())))
    assert.same({ 400 }, app.refused)
    assert.is_true(peer:closed())
  end)

  it("may be a thousand", function()
    local app = cases.app()
    local list, rest = cases.responses(app:connect():feed(GET:rep(1000)))
    assert.equal(1000, #list)
    assert.equal("", rest)
  end)

  it("are answered on, however large the answers", function()
    local app = cases.app()
    local peer = app:connect():feed(to "GET /large":rep(20))
    assert.equal(20, #cases.responses(peer))
  end)

  it("wait for a client that does not read", function()
    local app = cases.app()
    local peer = app:connect()
    peer.connection:stall(true)
    peer:feed(to "GET /large":rep(20))
    assert.is_true(#app.seen < 3)
    for _ = 1, 30 do
      peer.connection:stall(false)
      peer:look()
    end
    assert.equal(20, #cases.responses(peer))
  end)
end)

describe("HEAD", function()
  local function head(path) return cases.request("HEAD " .. path .. " HTTP/1.1", { "Host: a" }) end
  cases.all {
    { "has no content, and says how long it would be", head "/get" .. GET, { 200, 200 }, methods = { "HEAD" },
      body = { "", "got" } },
    { "has the length of GET", head "/large", 200, methods = { "HEAD" }, body = "",
      headers = { ["content-length"] = "100000" } },
    { "has no chunks", head "/stream" .. GET, { 200, 200 }, methods = { "HEAD" }, body = { "", "got" } },
    { "has the framing of a stream", head "/stream", 200, methods = { "HEAD" },
      headers = { ["transfer-encoding"] = "chunked" } },
    { "has the length of a stream", head "/sized", 200, methods = { "HEAD" }, headers = { ["content-length"] = "6" } },
    { "of nothing has no content", head "/nowhere" .. GET, { 404, 200 }, methods = { "HEAD" }, body = { "", "got" } },
    { "that fails has no content", head "/error" .. GET, { 500, 200 }, closed = false, methods = { "HEAD" },
      body = { "", "got" } },
    { "that is refused has no content", cases.request "HEAD / HTTP/1.1", 400, methods = { "HEAD" }, body = "" },
    { "may have a body", to("HEAD /echo", { "Content-Length: 2" }, "hi") .. GET, { 200, 200 },
      methods = { "HEAD" }, body = { "", "got" } },
  }
end)

describe("a response without content", function()
  cases.all {
    { "is a 204, without a length", to "GET /empty" .. GET, { 204, 200 }, body = { "", "got" } },
    { "is a 304, whatever its body", to "GET /unchanged" .. GET, { 304, 200 },
      body = { "", "got" } },
    { "keeps the fields of a 304", to "GET /unchanged", 304,
      headers = { etag = '"1"', ["content-length"] = false, ["transfer-encoding"] = false } },
  }
end)

describe("a body that nobody reads", function()
  local function post(length, headers)
    return to("POST /skip", { "Content-Length: " .. length, table.unpack(headers or {}) })
  end

  it("is skipped when it is small", function()
    local app = cases.app()
    local peer = app:connect():feed(post(200000))
    assert.same({ 200 }, statuses(cases.responses(peer)))
    for _ = 1, 200 do peer:feed(("GET / HTTP/1.1\r\n\r\n"):rep(55) .. "1234567890") end
    assert.same({ "POST /skip" }, app.seen)
    peer:feed(GET)
    local list = cases.responses(peer)
    assert.same({ "skipped", "got" }, { list[1].body, list[2].body })
    assert.is_nil(list[1].headers:get "connection")
  end)

  it("ends the connection when it is large", function()
    local app = cases.app()
    local peer = app:connect():feed(post(1000000))
    local list = cases.responses(peer)
    assert.equal("close", list[1].headers:get "connection")
    peer:feed(("x"):rep(1000000) .. GET)
    assert.equal(1, #cases.responses(peer))
    assert.is_true(peer:closed())
    assert.same({ "POST /skip" }, app.seen)
  end)

  it("is skipped in chunks too", function()
    local app = cases.app()
    local peer = app:connect():feed(to("POST /skip", { "Transfer-Encoding: chunked" }))
    local list = cases.responses(peer)
    assert.is_nil(list[1].headers:get "connection")
    peer:feed("5\r\nhello\r\n0\r\n\r\n" .. GET)
    assert.equal(2, #cases.responses(peer))
    assert.is_false(peer:closed())
  end)

  it("ends the connection when its chunks become too many, or one is announced that is too large", function()
    for _, chunks in ipairs { ("100\r\n" .. ("x"):rep(256) .. "\r\n"):rep(1025), "40001\r\n" } do
      local app = cases.app()
      local peer = app:connect():feed(to("POST /skip", { "Transfer-Encoding: chunked" }))
      peer:feed(chunks)
      assert.is_true(peer:closed())
      assert.equal(1, #cases.responses(peer))
    end
  end)

  cases.all {
    { "is skipped when it has come along", post(2) .. "hi" .. GET, { 200, 200 }, body = { "skipped", "got" } },
    { "is skipped behind a 404", to("POST /nowhere", { "Content-Length: 2" }, "hi") .. GET,
      { 404, 200 } },
    { "is skipped behind a 405", to("POST /get", { "Content-Length: 2" }, "hi") .. GET,
      { 405, 200 } },
    { "is skipped behind a 500", to("POST /error", { "Content-Length: 2" }, "hi") .. GET,
      { 500, 200 }, closed = false },
    { "is skipped behind OPTIONS *", to("OPTIONS *", { "Content-Length: 2" }, "hi") .. GET,
      { 204, 200 }, seen = 1 },
    { "is read by nobody on a connection that ends", post(2, { "Connection: close" }) .. "hi" .. GET, 200,
      closed = true },
  }
end)

describe("Expect: 100-continue", function()
  local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
  local function post(path, headers)
    return cases.request("POST " .. path .. " HTTP/1.1", { "Host: a", "Expect: 100-continue", table.unpack(headers) })
  end

  it("is answered when the handler reads, once", function()
    local peer = cases.app():connect():feed(post("/echo", { "Content-Length: 4" }))
    assert.equal(CONTINUE, peer.bytes)
    peer:feed "hi"
    peer:feed "ho"
    assert.equal("POST:hiho", cases.responses(peer)[1].body)
    assert.equal(1, select(2, peer.bytes:gsub("100 Continue", "")))
    peer:feed(GET)
    assert.same({ 200, 200 }, statuses(cases.responses(peer)))
  end)

  it("is answered for chunks, in any case", function()
    local peer = cases.app():connect():feed(to("POST /echo", { "expect: 100-CONTINUE", "Transfer-Encoding: chunked" }))
    assert.equal(CONTINUE, peer.bytes)
    peer:feed "2\r\nhi\r\n0\r\n\r\n"
    assert.equal("POST:hi", cases.responses(peer)[1].body)
  end)

  it("is not answered when the body has come along", function()
    local peer = cases.app():connect():feed(post("/echo", { "Content-Length: 2" }) .. "hi")
    local list = cases.responses(peer)
    assert.equal("POST:hi", list[1].body)
    assert.equal(0, #list.interim)
  end)

  it("is not answered when some of the body has come along", function()
    local peer = cases.app():connect():feed(post("/echo", { "Content-Length: 4" }) .. "hi"):feed "ho"
    local list = cases.responses(peer)
    assert.equal("POST:hiho", list[1].body)
    assert.equal(0, #list.interim)
  end)

  it("is not answered when the handler does not read: the final answer ends the connection", function()
    local app = cases.app()
    local peer = app:connect():feed(post("/skip", { "Content-Length: 2" }))
    local list = cases.responses(peer)
    assert.same({ 200 }, statuses(list))
    assert.equal("close", list[1].headers:get "connection")
    assert.equal(0, #list.interim)
    assert.is_true(peer:closed())
    peer:feed("hi" .. GET)
    assert.same({ "POST /skip" }, app.seen)
  end)

  it("waits its turn behind a running request", function()
    local app = cases.app()
    local peer = app:connect():feed(to "GET /park" .. post("/echo", { "Content-Length: 2" }))
    assert.equal("", peer.bytes)
    app:release()
    peer:look()
    assert.truthy(peer.bytes:find("parked" .. CONTINUE, 1, true))
    peer:feed "hi"
    assert.equal("POST:hi", cases.responses(peer)[2].body)
  end)

  cases.all {
    { "without a body is not answered", post("/echo", {}) .. GET, { 200, 200 } },
    { "with an empty body is not answered", post("/echo", { "Content-Length: 0" }) .. GET, { 200, 200 } },
    { "with too long a body is a 413 at once", post("/echo", { "Content-Length: 1048577" }), 413 },
    { "with a flaw is a 400 at once", post("/echo", { "Content-Length: x" }), 400 },
    { "is the only expectation", to("POST /echo", { "Expect: 200-ok" }), 417 },
    { "is alone", to("POST /echo", { "Expect: 100-continue, x" }), 417 },
    { "is alone, over fields too", to("POST /echo", { "Expect: 100-continue", "Expect: x" }), 417 },
    { "is ignored in HTTP/1.0", cases.request("POST /echo HTTP/1.0", { "Expect: 100-continue", "Content-Length: 2" },
      "hi"), 200,
      closed = true, body = "POST:hi" },
    { "of another kind is ignored in HTTP/1.0", cases.request("GET /get HTTP/1.0", { "Expect: x" }), 200,
      closed = true },
  }
  it("is not sent to HTTP/1.0", function()
    local peer = cases.app():connect():feed(cases.request("POST /echo HTTP/1.0", { "Expect: 100-continue",
      "Content-Length: 2" }))
    assert.equal("", peer.bytes)
  end)
end)
