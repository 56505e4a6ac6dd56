local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("event.request", function()
  local function serve(handler, opts)
    return temp_routes.app({ ["index.lua"] = handler }, opts)
  end

  it("has method, uri and headers", function()
    local app <close> = serve(function(event)
      local request = event.request
      return spry.Response.json {
        method = request.method, uri = tostring(request.uri), path = request.uri.path,
        agent = request.headers:get "User-Agent",
        same = request.uri == event.url and request.headers == event.headers,
      }
    end)
    local seen = app:put("/?a=1", { headers = { host = "example.org:81", ["user-agent"] = "spec" } }):json()
    assert.same({
      method = "PUT", uri = "http://example.org:81/?a=1", path = "/", agent = "spec", same = true,
    }, seen)
  end)

  it("reads a body whole, more than once", function()
    local app <close> = serve(function(event)
      return event.request:text() .. "|" .. event.request:bytes() .. "|" .. event.request:json().a
    end)
    assert.equal('{"a":5}|{"a":5}|5', app:post("/", { body = '{"a":5}' }).body)
  end)

  it("reads no body as an empty one", function()
    local app <close> = serve(function(event)
      return "<" .. event.request:text() .. ">"
    end)
    assert.equal("<>", app:get("/").body)
  end)

  it("waits for a body that comes slowly, and lets the others run", function()
    local app <close> = serve(function(event)
      return event.method == "GET" and "other" or event.request:text()
    end)
    local slow = app:connect()
    slow:send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab"
    assert.equal("other", app:get("/").body)
    slow:send "cd"
    assert.equal("", slow:take())
    slow:send "ef"
    assert.equal("abcdef", slow:answer("POST").body)
  end)

  it("joins the chunks of a chunked body", function()
    local app <close> = serve(function(event)
      return event.request:text()
    end)
    local connection = app:connect()
    connection:send "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    connection:send "2\r\nde\r\n"
    connection:send "1\r\nf\r\n0\r\n\r\n"
    assert.equal("abcdef", connection:answer("POST").body)
  end)

  it("gives the body in chunks, as they come", function()
    local seen = {}
    local app <close> = serve(function(event)
      for chunk in event.request:chunks() do
        seen[#seen + 1] = chunk
      end
      return "done"
    end)
    local connection = app:connect()
    connection:send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab"
    assert.equal("ab", table.concat(seen))
    connection:send "cd"
    assert.equal("done", connection:answer("POST").body)
    assert.equal("abcd", table.concat(seen))
  end)

  it("says so when a body is wanted whole and in chunks", function()
    local app <close> = serve(function(event)
      if event.query:has "chunks" then
        event.request:text()
        event.request:chunks()
      else
        event.request:chunks()
        event.request:text()
      end
    end)
    assert.equal(500, app:post("/?chunks", { body = "x" }).status)
    assert.matches("read as a whole", app.log[1])
    assert.equal(500, app:post("/", { body = "x" }).status)
    assert.matches("read with event.request:chunks", app.log[2])
  end)

  it("answers malformed JSON with 400", function()
    local app <close> = serve(function(event)
      return { got = event.request:json() }
    end)
    for _, text in ipairs { "", "{", "{'a':1}", "[1,]", "nul", "\xff" } do
      local res = app:post("/", { body = text })
      assert.equal(400, res.status)
      assert.matches("malformed JSON", res.body)
    end
    assert.equal("[1,2]", spry.json.encode(app:post("/", { body = "[1,2]" }):json().got))
    assert.equal(false, app:post("/", { body = "false" }):json().got)
  end)

  it("answers a body over the limit with 413", function()
    local app <close> = serve(function(event)
      return event.request:text()
    end, { config = { limits = { body = 10 } } })
    assert.equal("0123456789", app:post("/", { body = "0123456789" }).body)
    assert.equal(413, app:post("/", { body = "0123456789a" }).status)
    local connection = app:connect()
    connection:send "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection:send(("8\r\n01234567\r\n"):rep(2) .. "0\r\n\r\n")
    assert.equal(413, connection:answer("POST").status)
  end)

  it("reads a form", function()
    local app <close> = serve(function(event)
      local form = event.request:form()
      return { a = form:get "a", b = table.concat(form:getAll "b", ","), c = form:has "c" }
    end)
    local res = app:post("/", {
      body = "a=x+y&b=1&b=%C3%A9", headers = { ["content-type"] = "application/x-www-form-urlencoded; charset=UTF-8" },
    })
    assert.same({ a = "x y", b = "1,é", c = false }, res:json())
  end)

  it("reads a multipart form", function()
    local app <close> = serve(function(event)
      local form = event.request:multipart()
      local file = form.files[1]
      return { title = form.fields:get "title", name = file.name, filename = file.filename, size = #file.body }
    end)
    local res = app:post("/", {
      body = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHello\r\n--b\r\n"
        .. "Content-Disposition: form-data; name=\"doc\"; filename=\"a.txt\"\r\n\r\n12345\r\n--b--\r\n",
      headers = { ["content-type"] = "multipart/form-data; boundary=b" },
    })
    assert.same({ title = "Hello", name = "doc", filename = "a.txt", size = 5 }, res:json())
  end)

  it("answers a form of another type with 415, a malformed one with 400", function()
    local app <close> = serve(function(event)
      if event.query:has "multi" then
        return event.request:multipart()
      end
      return event.request:form()
    end)
    assert.equal(415, app:post("/", { body = "a=1" }).status)
    assert.equal(415, app:post("/", { body = "a=1", headers = { ["content-type"] = "text/plain" } }).status)
    local multi = { body = "x", headers = { ["content-type"] = "application/x-www-form-urlencoded" } }
    assert.equal(415, app:post("/?multi", multi).status)
    multi.headers["content-type"] = "multipart/form-data"
    local res = app:post("/?multi", multi)
    assert.equal(400, res.status)
    assert.matches("no boundary", res.body)
    multi.headers["content-type"] = "multipart/form-data; boundary=b"
    assert.matches("boundary does not appear", app:post("/?multi", multi).body)
  end)

  it("has no other fields", function()
    local app <close> = serve(function(event)
      return event.request.boddy
    end)
    assert.equal(500, app:get("/").status)
    assert.matches("event.request has no field boddy", app.log[1])
  end)
end)
