-- Files as a client sees them: conditions, ranges, precompressed ones. From public/, and by Response.file.
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("a file", function()
  local app, folder

  local function serve(files)
    folder = temp_routes.project(files)
    app = testing.app(folder .. "/routes")
    return app
  end

  local function get(path, headers)
    return app:get(path, { headers = headers })
  end

  after_each(function()
    app:close()
  end)

  it("is sent with what a client needs to ask again", function()
    serve { ["public/a.txt"] = "hello" }
    local res = get "/a.txt"
    local etag, date = res.headers:get "etag", res.headers:get "last-modified"
    assert.matches('^"[%x.-]+"$', etag)
    assert.equal("bytes", res.headers:get "accept-ranges")
    assert.is_nil(res.headers:get "vary")
    for _, headers in ipairs { { ["if-none-match"] = etag }, { ["if-modified-since"] = date } } do
      res = get("/a.txt", headers)
      assert.same({ 304, "" }, { res.status, res.body })
      assert.equal(etag, res.headers:get "etag")
      assert.is_nil(res.headers:get "content-type")
      assert.is_nil(res.headers:get "content-length")
    end
    assert.equal(412, get("/a.txt", { ["if-match"] = '"other"' }).status)
    assert.equal(200, get("/a.txt", { ["if-match"] = etag }).status)
    local file <close> = assert(io.open(folder .. "/public/a.txt", "w"))
    file:write "changed"
    file:flush()
    assert.equal("changed", get("/a.txt", { ["if-none-match"] = etag }).body)
  end)

  it("is sent in part", function()
    serve { ["public/a.txt"] = "0123456789", ["public/big"] = ("0123456789"):rep(20000) }
    local res = get("/a.txt", { range = "bytes=2-4" })
    assert.same({ 206, "234", "bytes 2-4/10", "3" },
      { res.status, res.body, res.headers:get "content-range", res.headers:get "content-length" })
    assert.equal("789", get("/a.txt", { range = "bytes=-3" }).body)
    res = get("/big", { range = "bytes=150000-199998" })
    assert.same({ 206, 49999 }, { res.status, #res.body })
    assert.equal("0123", res.body:sub(1, 4))
    res = get("/a.txt", { range = "bytes=10-" })
    assert.same({ 416, "bytes */10" }, { res.status, res.headers:get "content-range" })
    assert.equal(200, get("/a.txt", { range = "bytes=5-2" }).status)
    res = get("/a.txt", { range = "bytes=8-,0-1" })
    assert.equal(206, res.status)
    assert.matches("89\r\n%-%-.*Content%-Range: bytes 0%-1/10\r\n\r\n01\r\n", res.body)
    res = app:head("/a.txt", { headers = { range = "bytes=2-4" } })
    assert.same({ 200, "10" }, { res.status, res.headers:get "content-length" })
  end)

  it("goes on with a download only when it is still the same", function()
    serve { ["public/a.txt"] = "0123456789" }
    local etag = get("/a.txt").headers:get "etag"
    assert.equal("56789", get("/a.txt", { range = "bytes=5-", ["if-range"] = etag }).body)
    assert.equal("0123456789", get("/a.txt", { range = "bytes=5-", ["if-range"] = '"old"' }).body)
  end)

  it("is sent as it lies beside, compressed, to who takes that", function()
    serve {
      ["public/a.js"] = "plain", ["public/a.js.gz"] = "gzipped!", ["public/a.js.br"] = "brotli",
      ["public/b.js"] = "plain",
    }
    local res = get("/a.js", { ["accept-encoding"] = "gzip, deflate, br" })
    assert.same({ "brotli", "br", "text/javascript; charset=utf-8", "Accept-Encoding" }, {
      res.body, res.headers:get "content-encoding", res.headers:get "content-type", res.headers:get "vary",
    })
    local etag = res.headers:get "etag"
    res = get("/a.js")
    assert.same({ "plain", nil, "Accept-Encoding" },
      { res.body, res.headers:get "content-encoding", res.headers:get "vary" })
    assert.not_equal(etag, res.headers:get "etag")
    res = get("/a.js", { ["accept-encoding"] = "br", ["if-none-match"] = etag })
    assert.same({ 304, nil, "Accept-Encoding" },
      { res.status, res.headers:get "content-encoding", res.headers:get "vary" })
    assert.equal(200, get("/a.js", { ["if-none-match"] = etag }).status)
    res = get("/a.js", { ["accept-encoding"] = "gzip", range = "bytes=0-3" })
    assert.same({ 206, "gzip", "bytes 0-3/8", "gzip" },
      { res.status, res.body, res.headers:get "content-range", res.headers:get "content-encoding" })
    res = get("/a.js.gz", { ["accept-encoding"] = "gzip" })
    assert.same({ "gzipped!", nil }, { res.body, res.headers:get "content-encoding" })
    assert.is_nil(get("/b.js", { ["accept-encoding"] = "gzip" }).headers:get "vary")
    res = app:head("/a.js", { headers = { ["accept-encoding"] = "gzip" } })
    assert.same({ "8", "gzip" }, { res.headers:get "content-length", res.headers:get "content-encoding" })
  end)

  it("does not follow a compressed one out of public/", function()
    serve { ["public/a.js"] = "plain", ["secret"] = "secret" }
    assert(uv.fs_symlink("../secret", folder .. "/public/a.js.gz"))
    local res = get("/a.js", { ["accept-encoding"] = "gzip" })
    assert.same({ "plain", nil }, { res.body, res.headers:get "vary" })
    assert.equal(404, get("/a.js.gz").status)
  end)

  it("leaves what middleware has said", function()
    serve {
      ["public/a.txt"] = "hello",
      ["routes/_middleware.lua"] = function(event, next)
        local response = next()
        response.headers:set("etag", '"mine"')
        response.headers:set("cache-control", "max-age=60")
        if event.query:has "replace" then
          response.body = "replaced"
        end
        return response
      end,
    }
    local res = get "/a.txt"
    assert.same({ '"mine"', "hello" }, { res.headers:get "etag", res.body })
    res = get("/a.txt", { ["if-none-match"] = '"mine"' })
    assert.same({ 304, "max-age=60" }, { res.status, res.headers:get "cache-control" })
    res = get("/a.txt?replace", { range = "bytes=0-1" })
    assert.same({ 200, "replaced" }, { res.status, res.body })
  end)

  it("may be what an error page is, or one response kept for all requests", function()
    local kept
    serve {
      ["page.html"] = "<p>not here",
      ["routes/_error.lua"] = function()
        return spry.Response.file(folder .. "/page.html", { status = 404 })
      end,
      ["routes/kept.lua"] = function()
        kept = kept or spry.Response.file(folder .. "/page.html")
        return kept
      end,
    }
    local res = get("/none", { range = "bytes=0-1" })
    assert.same({ 404, "<p>not here" }, { res.status, res.body })
    assert.equal("<p", get("/kept", { range = "bytes=0-1" }).body)
    assert.equal("<p>not here", get("/kept").body)
    os.remove(folder .. "/page.html")
    assert.equal(404, get("/kept").status)
  end)

  it("is not a pipe, a device or a folder", function()
    serve {
      ["public/a/b.txt"] = "b",
      ["routes/file.lua"] = function(event)
        return spry.Response.file(event.query:get "path")
      end,
    }
    assert.is_true(os.execute("mkfifo " .. folder .. "/public/fifo"))
    for _, path in ipairs { "/fifo", "/a", "/a/", "/file?path=/dev/zero", "/file?path=/", "/file?path=",
      "/file?path=" .. folder .. "/public/fifo", "/file?path=/etc/../etc/passwd", "/file?path=/etc/passwd%00.png" } do
      assert.equal(404, get(path).status, path)
    end
  end)
end)
