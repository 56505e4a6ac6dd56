-- Deadlines of a request: its head, its body, its handler, and of a connection between requests.

local cases = require "spec.support.http_cases"

after_each(cases.clean)

local GET = "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"
local POST = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"

local LIMITS = { headerTimeout = 10, bodyTimeout = 30, idleTimeout = 60, requestTimeout = 90 }

describe("in time", function()
  local app, peer

  before_each(function()
    app = cases.app(LIMITS)
    peer = app:connect()
  end)

  local function advance(seconds)
    app.core:advance(seconds)
    peer:look()
  end

  local function last()
    local list = cases.responses(peer)
    return list[#list] or {}, #list
  end

  it("an idle connection is closed without a word", function()
    advance(59.9)
    assert.is_false(peer:closed())
    advance(0.2)
    assert.is_true(peer:closed())
    assert.equal("", peer.bytes)
    assert.same({}, app.refused)
  end)

  it("a connection is idle from its last answer on", function()
    advance(50)
    peer:feed(GET)
    advance(59.9)
    assert.is_false(peer:closed())
    advance(0.2)
    assert.is_true(peer:closed())
    assert.equal(200, last().status)
  end)

  it("empty lines keep no connection alive", function()
    for _ = 1, 6 do
      advance(10)
      peer:feed "\r\n"
    end
    advance(0.1)
    assert.is_true(peer:closed())
    assert.equal("", peer.bytes)
  end)

  it("a head that does not come is a 408", function()
    peer:feed "GET / HTTP/1.1\r\n"
    advance(9.9)
    assert.equal("", peer.bytes)
    advance(0.2)
    assert.equal(408, last().status)
    assert.equal("close", last().headers:get "connection")
    assert.is_true(peer:closed())
    assert.same({ 408 }, app.refused)
    assert.same({}, app.seen)
  end)

  it("a head that trickles is a 408 all the same", function()
    peer:feed "GET / HTTP/1.1\r\nX: "
    for _ = 1, 99 do
      peer:feed "x"
      advance(0.1)
    end
    assert.equal("", peer.bytes)
    peer:feed "x"
    advance(0.2)
    assert.equal(408, last().status)
  end)

  it("a head may come byte by byte while it is in time", function()
    for i = 1, #GET do
      peer:feed(GET:sub(i, i))
      advance(9.9 / #GET)
    end
    assert.equal(200, last().status)
    assert.is_false(peer:closed())
  end)

  it("each head has its own time", function()
    for _ = 1, 5 do
      peer:feed(GET:sub(1, 10))
      advance(9)
      peer:feed(GET:sub(11))
    end
    assert.equal(5, select(2, last()))
    assert.is_false(peer:closed())
  end)

  it("a body that does not come is a 408 of the handler's", function()
    peer:feed(POST .. "0123456789")
    advance(29.9)
    assert.equal("", peer.bytes)
    advance(0.2)
    assert.equal(408, last().status)
    assert.equal("close", last().headers:get "connection")
    assert.is_true(peer:closed())
  end)

  it("a body may come a byte a second while it is in time", function()
    peer:feed(POST)
    for _ = 1, 20 do
      advance(1)
      peer:feed "x"
    end
    assert.equal("POST:" .. ("x"):rep(20), last().body)
    assert.is_false(peer:closed())
  end)

  it("a large body has more time, while it comes at a fair speed", function()
    peer:feed "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
    for _ = 1, 200 do
      peer:feed(("x"):rep(1000))
      advance(1)
    end
    assert.equal(200, last().status)
  end)

  it("a body that is skipped has its time too", function()
    peer:feed "POST /skip HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
    assert.equal(200, last().status)
    advance(29.9)
    assert.is_false(peer:closed())
    advance(0.2)
    assert.is_true(peer:closed())
    assert.equal(1, select(2, last()))
  end)

  it("a client that waits for 100 Continue does not wait longer than for a body", function()
    peer:feed "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    advance(30.1)
    assert.equal(408, last().status)
    assert.is_true(peer:closed())
  end)

  it("a handler that does not answer is a 503", function()
    peer:feed "GET /park HTTP/1.1\r\nHost: a\r\n\r\n"
    advance(89.9)
    assert.equal("", peer.bytes)
    advance(0.2)
    assert.equal(503, last().status)
    assert.equal("close", last().headers:get "connection")
    assert.is_true(peer:closed())
    assert.same({ 503 }, app.refused)
  end)

  it("a handler that does not answer HEAD is a 503 without content", function()
    peer:feed "HEAD /park HTTP/1.1\r\nHost: a\r\n\r\n"
    advance(90.1)
    local list, rest = cases.responses(peer, { "HEAD" })
    assert.equal(503, list[1].status)
    assert.equal("", rest)
  end)

  it("requests behind one that does not answer are dropped", function()
    peer:feed("GET /park HTTP/1.1\r\nHost: a\r\n\r\n" .. GET)
    advance(90.1)
    assert.equal(503, last().status)
    assert.same({ "GET /park" }, app.seen)
  end)

  it("a running request keeps the connection from being idle", function()
    peer:feed "GET /park HTTP/1.1\r\nHost: a\r\n\r\n"
    advance(80)
    app:release()
    peer:look()
    assert.equal("parked", last().body)
    advance(59)
    peer:feed(GET)
    assert.equal("got", last().body)
  end)

  it("a client that does not end its side is waited for, but not for ever", function()
    -- The in-memory client ends its side when the server has; what it sends until then is dropped.
    peer:feed "nonsense\r\n\r\n"
    assert.equal(400, last().status)
    advance(10)
    assert.is_true(peer:closed())
    peer:feed(GET)
    assert.equal(1, select(2, last()))
  end)
end)
