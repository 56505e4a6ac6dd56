local http = require "sprylua.testing.http"

describe("the client's requests", function()
  it("are plain by default", function()
    assert.equal("GET /a?b=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", http.request("GET", "/a?b=1"))
    assert.equal("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", http.request("POST", "/"))
  end)

  it("take headers, lists of them, and false for none", function()
    assert.equal("GET / HTTP/1.1\r\nA: 1\r\nb: x\r\nb: y\r\n\r\n",
      http.request("GET", "/", { headers = { A = 1, b = { "x", "y" }, host = false } }))
  end)

  it("encode forms and bodies", function()
    assert.equal("a=1&b=x+y&b=%26", http.form { a = 1, b = { "x y", "&" } })
    assert.equal("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      .. "Content-Length: 3\r\n\r\na=1", http.request("POST", "/", { form = { a = 1 } }))
    assert.matches("content%-length: 7\r\n\r\nabc$",
      http.request("PUT", "/", { body = "abc", headers = { ["content-length"] = 7 } }))
    assert.has_error(function() http.request("POST", "/", { body = "", json = {} }) end)
  end)

  it("refuse what would not be one request", function()
    for _, bad in ipairs { "", "/a b", "/a\r\nX: y" } do
      assert.has_error(function() http.request("GET", bad) end)
    end
    assert.has_error(function() http.request("GE T", "/") end)
  end)
end)

describe("the client's parser", function()
  local function parse(bytes, method, ended)
    local parser = http.parser()
    parser:feed(bytes)
    return parser:answer(method or "GET", ended), parser
  end

  it("reads a sized body, and headers of any case", function()
    local response, parser = parse "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nhirest"
    assert.equal(200, response.status)
    assert.equal("OK", response.reason)
    assert.equal("hi", response.body)
    assert.equal("1, 2", response.headers:get "x-A")
    assert.same({ "1", "2" }, response.headers:getAll "X-a")
    assert.is_true(response.headers:has "content-length")
    assert.is_nil(response.headers:get "nothing")
    assert.equal("rest", parser.bytes)
  end)

  it("reads chunks, byte by byte, with trailers", function()
    local bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"
    local parser = http.parser()
    for i = 1, #bytes - 1 do
      parser:feed(bytes:sub(i, i))
      assert.is_nil(parser:answer "GET")
    end
    parser:feed(bytes:sub(-1))
    assert.equal("abc0123456789", parser:answer("GET").body)
    assert.equal("", parser.bytes)
  end)

  it("gives a stream's bytes as they come", function()
    local parser = http.parser()
    parser:feed "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nd"
    assert.equal("abc", parser:take())
    assert.equal("", parser:take())
    parser:feed "e\r\n0\r\n\r\n"
    assert.equal("de", parser:take())
    assert.is_true(parser.ended)
  end)

  it("knows answers without a body", function()
    assert.equal("", parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").body)
    assert.equal(204, parse("HTTP/1.1 204 No Content\r\n\r\n").status)
    local response, parser = parse "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00"
    assert.equal(101, response.status)
    assert.equal("\x81\x00", parser.bytes)
    assert.equal(100, parser.interim[1].status)
  end)

  it("ends a body without a length with the connection", function()
    assert.is_nil(parse "HTTP/1.1 200 OK\r\n\r\nabc")
    assert.equal("abc", parse("HTTP/1.1 200 OK\r\n\r\nabc", "GET", true).body)
  end)

  it("is strict", function()
    for _, bad in ipairs {
      "HTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    } do
      assert.has_error(function() parse(bad) end)
    end
  end)
end)
