local compress = require "sprylua.middleware.compress"
local decode = require "spec.support.decode"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local Response = spry.Response

local LONG = ("All work and no play makes Jack a dull boy.\n"):rep(100)

local function serve(handler, options)
  return temp_routes.app { ["index.lua"] = handler, ["_middleware.lua"] = compress(options) }
end

local function ask(app, accepted, method)
  return app:request(method or "GET", "/", { headers = { ["accept-encoding"] = accepted } })
end

-- The answer of a handler to a client that takes gzip.
local function answer(handler, options)
  local app <close> = serve(handler, options)
  return ask(app, "gzip")
end

describe("compress", function()
  it("sends the coding that the client would rather have", function()
    local app <close> = serve(function() return Response.html(LONG) end)
    for accepted, coding in pairs { ["gzip, deflate, br"] = "br", gzip = "gzip", ["br;q=0.5, GZIP"] = "gzip" } do
      local res = ask(app, accepted)
      assert.equal(200, res.status)
      assert.equal(coding, res.headers:get "content-encoding")
      assert.equal("Accept-Encoding", res.headers:get "vary")
      assert.equal(tostring(#res.body), res.headers:get "content-length")
      assert.is_true(#res.body < 300)
      assert.equal(LONG, (decode.whole(coding, res.body)))
    end
  end)

  it("sends it as it is to others, and tells caches that it might have been different", function()
    local app <close> = serve(function() return Response.html(LONG) end)
    for _, accepted in ipairs { false, "identity", "gzip;q=0", "zstd", "*;q=0", "identity;q=0" } do
      local res = ask(app, accepted)
      assert.equal(LONG, res.body)
      assert.is_false(res.headers:has "content-encoding")
      assert.equal("Accept-Encoding", res.headers:get "vary")
    end
  end)

  it("is for types that become smaller", function()
    for kind, expected in pairs {
      ["text/html; charset=utf-8"] = true, ["TEXT/Plain"] = true, ["application/json"] = true,
      ["application/ld+json;x=y"] = true, ["image/svg+xml"] = true, ["text/javascript"] = true,
      ["application/wasm"] = true, ["font/ttf"] = true, ["application/xhtml+xml"] = true, [" text/css"] = true,
      ["image/png"] = false, ["font/woff2"] = false, ["application/zip"] = false, ["video/mp4"] = false,
      ["application/octet-stream"] = false, ["xtext/html"] = false, ["application/jsonx"] = false, ["nonsense"] = false,
      [""] = false,
    } do
      local res = answer(function() return Response(LONG, { headers = { ["content-type"] = kind } }) end)
      assert.equal(expected, res.headers:has "content-encoding", kind)
      assert.equal(expected, res.headers:has "vary", kind)
    end
  end)

  it("takes other types", function()
    local function has(kind, types)
      local response = Response(LONG, { headers = { ["content-type"] = kind } })
      return answer(function() return response end, { types = types }).headers:has "content-encoding"
    end
    assert.is_true(has("application/x.y-z", { "application/x.y-z" }))
    assert.is_true(has("model/stl", { "font/*", "Model/*" }))
    assert.is_false(has("application/xzy-z", { "application/x.y-z" }))
    assert.is_false(has("text/plain", { "font/*" }))
    assert.is_false(has("text/plain", {}))
  end)

  it("begins at a size", function()
    local function has(size, threshold)
      return answer(function() return ("x"):rep(size) end, { threshold = threshold }).headers:has "content-encoding"
    end
    assert.is_false(has(1023))
    assert.is_true(has(1024))
    assert.is_false(has(99, 100))
    assert.is_true(has(100, 100))
    assert.is_false(has(0, 0)) -- nothing becomes no smaller
  end)

  it("leaves alone what does not become smaller", function()
    local noise = require("sprylua.core").crypto.random(5000)
    local res = answer(function() return Response.text(noise) end)
    assert.is_false(res.headers:has "content-encoding")
    assert.is_true(res.body == noise)
    assert.equal("Accept-Encoding", res.headers:get "vary")
  end)

  it("leaves alone what has no body, is a part, is coded already, or must not be changed", function()
    for _, init in ipairs {
      { status = 206, headers = { ["content-range"] = "bytes 0-4399/9999" } }, { status = 206 }, { status = 205 },
      { headers = { ["content-range"] = "bytes */5" } }, { headers = { ["content-encoding"] = "deflate" } },
      { headers = { ["cache-control"] = "public, No-Transform , max-age=1" } },
    } do
      local res = answer(function() return Response(LONG, init) end)
      assert.not_equal("gzip", res.headers:get "content-encoding")
      assert.is_false(res.headers:has "vary")
    end
    local empty = answer(function() return Response.empty() end)
    assert.is_false(empty.headers:has "content-encoding")
    assert.is_false(empty.headers:has "vary")
    local res = answer(function()
      return Response(LONG, { headers = { ["cache-control"] = "x-no-transform, private" } })
    end)
    assert.equal("gzip", res.headers:get "content-encoding")
  end)

  it("is for errors too", function()
    local res = answer(function() error(spry.HTTPError(404, { message = LONG })) end)
    assert.equal(404, res.status)
    assert.equal("gzip", res.headers:get "content-encoding")
    assert.equal(LONG, (decode.whole("gzip", res.body)))
  end)

  it("adds to Vary, once", function()
    for given, expected in pairs { Cookie = "Cookie, Accept-Encoding", ["accept-encoding"] = "accept-encoding" } do
      local res = answer(function() return Response.text(LONG, { headers = { vary = given } }) end)
      assert.equal(expected, res.headers:get "vary")
    end
  end)

  it("makes a strong entity tag weak, for those who get it compressed", function()
    local app <close> = serve(function(event)
      return Response.text(LONG, { headers = { etag = event.headers:get "x-tag", ["accept-ranges"] = "bytes" } })
    end)
    local function fields(tag, accepted)
      local headers = app:get("/", { headers = { ["x-tag"] = tag, ["accept-encoding"] = accepted } }).headers
      return { headers:get "etag", headers:get "accept-ranges" }
    end
    assert.same({ 'W/"a"' }, fields('"a"', "gzip"))
    assert.same({ 'W/"a"' }, fields('W/"a"', "gzip"))
    assert.same({ '"a"', "bytes" }, fields('"a"', "identity"))
  end)

  it("gives a 304 the tag that the client knows", function()
    local app <close> = serve(function()
      return Response(nil, { status = 304, headers = { etag = '"a"' } })
    end)
    for known, expected in pairs { ['W/"a"'] = 'W/"a"', ['"b", W/"a"'] = 'W/"a"', ['"a"'] = '"a"', ["*"] = '"a"' } do
      local headers = app:get("/", { headers = { ["if-none-match"] = known, ["accept-encoding"] = "gzip" } }).headers
      assert.equal(expected, headers:get "etag")
      assert.equal("Accept-Encoding", headers:get "vary") -- as a 200 might have it
    end
  end)

  it("says the same to HEAD", function()
    local app <close> = serve(function() return Response.text(LONG, { headers = { etag = '"a"' } }) end)
    for _, accepted in ipairs { "gzip", "br", "identity" } do
      local get, head = ask(app, accepted), ask(app, accepted, "HEAD")
      assert.equal("", head.body)
      for _, name in ipairs { "content-encoding", "content-length", "content-type", "etag", "vary" } do
        assert.equal(get.headers:get(name), head.headers:get(name))
      end
    end
  end)

  it("leaves a Response that is kept for all requests as it was", function()
    local shared = Response.text(LONG)
    local app <close> = serve(function() return shared end)
    assert.equal("gzip", ask(app, "gzip").headers:get "content-encoding")
    assert.equal(LONG, ask(app, "identity").body)
    assert.equal(LONG, (decode.whole("gzip", ask(app, "gzip").body)))
    assert.equal(LONG, shared.body)
    assert.is_false(shared.headers:has "vary")
  end)

  it("lets a 101 pass", function()
    local app <close> = serve(function(event)
      return event.ws:upgrade(function(ws) ws:sendText "hi" end)
    end)
    assert.equal("hi", assert(app:ws("/", { headers = { ["accept-encoding"] = "gzip" } })):receive())
  end)

  it("checks its options where they are given", function()
    for _, given in ipairs {
      { treshold = 1 }, { threshold = -1 }, { threshold = "1k" }, { types = "text/*" }, { types = { 1 } }, { gzip = 0 },
      { gzip = 10 }, { br = 12 }, { br = -1 }, { br = true }, { flush = 1 }, { events = "yes" }, "gzip",
    } do
      assert.error_matches(function() compress(given) end, "compress")
    end
    assert.error_matches(function() compress { treshold = 1 } end, "did you mean threshold")
  end)
end)

describe("compress, of a stream", function()
  local function stream(produce, init)
    return function()
      init = init or { headers = { ["content-type"] = "text/plain" } }
      return Response.stream(produce, init)
    end
  end

  it("sends all of it", function()
    local results = {}
    for _, flush in ipairs { true, false } do
      for _, coding in ipairs { "gzip", "br" } do
        local app <close> = serve(stream(function(write)
          for i = 1, 50 do results[#results + 1] = write(LONG .. i) end
        end), { flush = flush })
        local res = ask(app, coding)
        assert.equal(coding, res.headers:get "content-encoding")
        assert.equal("chunked", res.headers:get "transfer-encoding")
        local text, whole = decode.whole(coding, res.body)
        assert.is_true(whole)
        assert.equal(50 * #LONG + 9 + 82, #text)
        assert.equal(LONG .. "1" .. LONG .. "2", text:sub(1, 2 * #LONG + 2))
      end
    end
    assert.equal(200, #results)
    for _, result in ipairs(results) do assert.is_true(result) end
  end)

  it("takes an empty one, empty chunks, and a stream without any", function()
    for _, produce in ipairs { function() end, function(write) write "" write "" end } do
      local app <close> = serve(stream(produce))
      local text, whole = decode.whole("gzip", ask(app, "gzip").body)
      assert.same({ "", true }, { text, whole })
    end
  end)

  it("lets chunks wait for each other, unless they are to be flushed", function()
    local function first(options)
      local app <close> = serve(stream(function(write)
        write "one"
        spry.sleep(5)
        write "two"
      end), options)
      local res = app:get("/", { headers = { ["accept-encoding"] = "gzip" }, stream = true })
      local chunk = res:receive(1)
      res:hangup()
      return chunk and (decode.whole("gzip", chunk))
    end
    assert.equal("one", first { flush = true })
    assert.not_equal("one", first())
  end)

  it("of server-sent events is asked for, and sends each at once", function()
    local function events(options)
      local app <close> = serve(function()
        return Response.events(function(send)
          send "one"
          spry.sleep(5)
          send "two"
        end)
      end, options)
      local res = app:get("/", { headers = { ["accept-encoding"] = "gzip" }, stream = true })
      local chunk = res:receive(1)
      res:hangup()
      return chunk, res.headers
    end
    local chunk, headers = events()
    assert.equal("data: one\n\n", chunk)
    assert.is_false(headers:has "content-encoding")
    assert.is_false(headers:has "vary")
    chunk, headers = events { events = true }
    assert.equal("gzip", headers:get "content-encoding")
    assert.equal("data: one\n\n", (decode.whole("gzip", chunk)))
  end)

  it("that raises is not finished as if it were whole", function()
    local app <close> = serve(stream(function(write)
      write(LONG)
      spry.sleep(1)
      error "boom"
    end), { flush = true })
    local connection = app:connect()
    connection:send "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    app.clock:advance(2)
    local head, body = connection:take():match "^(.-\r\n\r\n)(.*)$"
    assert.matches("200 OK", head)
    assert.is_nil(body:find("\r\n0\r\n\r\n", 1, true))
    local size, rest = body:match "^(%x+)\r\n(.*)$"
    local text, whole = decode.whole("gzip", rest:sub(1, tonumber(size, 16)))
    assert.equal(LONG, text)
    assert.is_false(whole)
    assert.is_true(connection:closed())
  end)

  it("that raises before anything has left is an error like any other", function()
    local app <close> = serve(stream(function() error "boom" end))
    local res = ask(app, "gzip")
    assert.equal(500, res.status)
    assert.is_false(res.headers:has "content-encoding")
  end)

  it("tells the producer when the client has gone", function()
    local results = {}
    local app <close> = serve(stream(function(write)
      for _ = 1, 3 do
        local noise = {}
        for i = 1, 1 << 17 do noise[i] = string.char(math.random(0, 255)) end
        results[#results + 1] = { write(table.concat(noise)) }
      end
    end))
    local connection = app:connect()
    connection:stall()
    connection:send "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    connection:hangup()
    assert.same({ { nil, "closed" }, { nil, "closed" }, { nil, "closed" } }, results)
  end)

  it("is closed to who writes after its end", function()
    local kept
    local app <close> = serve(stream(function(write) kept = write end))
    ask(app, "gzip")
    assert.same({ nil, "closed" }, { kept "late" })
  end)

  it("has no length any more, and none that is too short is begun", function()
    local function sized(length)
      local app <close> = serve(function()
        local made = Response.stream(function(write) write(("x"):rep(length)) end, {
          headers = { ["content-type"] = "text/plain" },
        })
        made.length = length
        return made
      end)
      return ask(app, "gzip")
    end
    local res = sized(5000)
    assert.is_false(res.headers:has "content-length")
    assert.equal(5000, #decode.whole("gzip", res.body))
    assert.equal("500", sized(500).headers:get "content-length")
  end)

  it("says the same to HEAD, and runs nothing", function()
    local ran = 0
    local app <close> = serve(stream(function(write)
      ran = ran + 1
      write(LONG)
    end))
    local head = ask(app, "br", "HEAD")
    assert.equal("br", head.headers:get "content-encoding")
    assert.equal("Accept-Encoding", head.headers:get "vary")
    assert.equal(0, ran)
  end)
end)

describe("compress, of files,", function()
  local app
  setup(function()
    local folder = temp_routes.project {
      ["middleware/10_compress.lua"] = compress(),
      ["public/large.txt"] = LONG:rep(100),
      ["public/ready.txt"] = LONG,
      ["public/ready.txt.gz"] = "made ahead",
      ["public/picture.png"] = LONG,
      ["public/small.txt"] = LONG,
      ["public/tiny.txt"] = "tiny",
    }
    app = require("sprylua.testing").app(folder .. "/routes")
  end)
  teardown(function() app:close() end)

  local function get(path, headers)
    headers["accept-encoding"] = headers["accept-encoding"] or "gzip"
    return app:get(path, { headers = headers })
  end

  it("sends small and large ones in the client's coding, under a weak tag", function()
    for path, text in pairs { ["/small.txt"] = LONG, ["/large.txt"] = LONG:rep(100) } do
      local res = get(path, {})
      assert.equal("gzip", res.headers:get "content-encoding")
      assert.equal("Accept-Encoding", res.headers:get "vary")
      assert.matches('^W/"', res.headers:get "etag")
      assert.equal(text, (decode.whole("gzip", res.body)))
      assert.equal(304, get(path, { ["if-none-match"] = res.headers:get "etag" }).status)
    end
  end)

  it("leaves alone parts, what was made ahead, and what is not worth it", function()
    local part = get("/small.txt", { range = "bytes=0-1999" })
    assert.equal(206, part.status)
    assert.equal(LONG:sub(1, 2000), part.body)
    assert.equal("made ahead", get("/ready.txt", {}).body)
    assert.equal(LONG, get("/picture.png", {}).body)
    assert.equal("tiny", get("/tiny.txt", {}).body)
    assert.equal(LONG, get("/small.txt", { ["accept-encoding"] = "identity" }).body)
  end)

  it("answers HEAD without a body", function()
    local res = app:head("/small.txt", { headers = { ["accept-encoding"] = "gzip" } })
    assert.equal("gzip", res.headers:get "content-encoding")
    assert.equal("", res.body)
  end)
end)
