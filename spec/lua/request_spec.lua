local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local uploads = require "spec.support.uploads"
local uv = require "luv"

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

  it("reads JSON of any type, with a byte order mark too, but not of no body", function()
    local app <close> = serve(function(event) return { got = event.request:json() } end)
    for _, kind in ipairs { "text/plain", "application/json; charset=latin1", "application/vnd.api+json", "" } do
      local res = app:post("/", { body = "\u{FEFF}[1]", headers = { ["content-type"] = kind } })
      assert.same({ 1 }, res:json().got)
    end
    assert.equal(400, app:post("/", { body = "[1]\u{FEFF}" }).status)
    assert.equal(400, app:post("/", { body = "\u{FEFF}" }).status)
    local none = app:get "/"
    assert.equal(400, none.status)
    assert.equal("malformed JSON: there is no body", none.body)
  end)

  it("bounds the number of fields of a form", function()
    local app <close> = serve(function(event)
      local opts = event.query:has "two" and { maxFields = 2 } or nil
      return { n = #event.request:form(opts) }
    end)
    local function post(path, body)
      return app:post(path, { body = body, headers = { ["content-type"] = "application/x-www-form-urlencoded" } })
    end
    assert.equal(4, post("/?two", "&a=1&&b=2&"):json().n)
    local res = post("/?two", "a=1&b&c")
    assert.equal(413, res.status)
    assert.equal("there are more fields than maxFields, 2", res.body)
    assert.equal(2000, post("/", ("a&"):rep(1000)):json().n)
    assert.equal(413, post("/", ("a&"):rep(1001)).status)
    assert.equal(0, post("/", ""):json().n)
  end)

  it("reads a form as UTF-8, whatever charset is named", function()
    local app <close> = serve(function(event) return event.request:form():get "a" end)
    local res = app:post("/", {
      body = "a=%C3%A9\u{e9}", headers = { ["content-type"] = "Application/X-WWW-Form-URLEncoded;charset=iso-8859-1" },
    })
    assert.equal("éé", res.body)
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
    local res
    local multi = { body = "x", headers = { ["content-type"] = "application/x-www-form-urlencoded" } }
    res = app:post("/?multi", multi)
    assert.equal(415, res.status)
    assert.equal("the body must be multipart/form-data; not application/x-www-form-urlencoded, "
      .. "which event.request:form() reads", res.body)
    multi.headers["content-type"] = "multipart/form-data"
    res = app:post("/?multi", multi)
    assert.equal(400, res.status)
    assert.matches("no boundary", res.body)
    multi.headers["content-type"] = "multipart/form-data; boundary=b"
    assert.matches("boundary does not appear", app:post("/?multi", multi).body)
  end)

  describe("save", function()
    local folder
    before_each(function() folder = uploads.folder() end)

    local function save(opts)
      return function(event)
        if event.query:has "text" then event.request:text() end
        return { size = event.request:save(folder .. "/kept", opts) }
      end
    end

    it("keeps the body as a file", function()
      local app <close> = serve(save())
      assert.equal(6, app:post("/", { body = "abcdef" }):json().size)
      assert.equal("abcdef", uploads.content(folder .. "/kept"))
      uploads.settled(folder, { "kept" })
    end)

    it("keeps an empty body, and one that has been read", function()
      local app <close> = serve(save { overwrite = true, mode = tonumber("644", 8) })
      assert.equal(0, app:post("/"):json().size)
      assert.equal("", uploads.content(folder .. "/kept"))
      assert.equal(3, app:post("/?text", { body = "abc" }):json().size)
      assert.equal("abc", uploads.content(folder .. "/kept"))
      assert.equal(tonumber("644", 8), uv.fs_stat(folder .. "/kept").mode & 511)
    end)

    it("overwrites nothing, unless it is told to", function()
      local app <close> = serve(save())
      app:post("/", { body = "first" })
      assert.equal(500, app:post("/", { body = "second" }).status)
      assert.matches("there is such a file already", app.log[1])
      assert.equal("first", uploads.content(folder .. "/kept"))
      uploads.settled(folder, { "kept" })
    end)

    it("shows nothing before the body's end, and leaves nothing of one that breaks off", function()
      local app <close> = serve(save())
      local connection = app:connect()
      connection:send "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"
      assert.equal(1, #uploads.list(folder))
      assert.is_nil((uv.fs_stat(folder .. "/kept")))
      connection:hangup()
      uploads.settled(folder)
      assert.equal(0, uploads.descriptors(folder))
    end)

    it("leaves nothing of a body that is too long", function()
      local app <close> = serve(save(), { config = { limits = { body = 10 } } })
      local connection = app:connect()
      connection:send "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n"
      connection:send "8\r\n01234567\r\n0\r\n\r\n"
      assert.equal(413, connection:answer("POST").status)
      uploads.settled(folder)
    end)

    it("says where it can't save, and what options it has", function()
      local app <close> = serve(function(event)
        event.request:save(folder .. (event.query:has "none" and "/none/x" or "/x"), { over = true })
      end)
      assert.equal(500, app:post("/", { body = "x" }).status)
      assert.matches("request_spec.lua:%d+: event.request:save has no option over", app.log[1])
      local other <close> = serve(function(event) event.request:save(folder .. "/none/x") end)
      assert.equal(500, other:post("/", { body = "x" }).status)
      assert.matches("/none: ENOENT", other.log[1])
    end)
  end)

  it("has no other fields", function()
    local app <close> = serve(function(event)
      return event.request.boddy
    end)
    assert.equal(500, app:get("/").status)
    assert.matches("event.request has no field boddy", app.log[1])
  end)
end)
