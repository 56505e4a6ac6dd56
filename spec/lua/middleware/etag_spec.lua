local compress = require "sprylua.middleware.compress"
local etag = require "sprylua.middleware.etag"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local Response = spry.Response

local function serve(handler, options)
  return temp_routes.app { ["index.lua"] = handler, ["_middleware.lua"] = etag(options) }
end

local function ask(app, fields, method)
  return app:request(method or "GET", "/", { headers = fields })
end

describe("etag", function()
  it("is made of the body, and of nothing else", function()
    local function tag(body, options)
      local app <close> = serve(function() return Response.html(body) end, options)
      return ask(app).headers:get "etag"
    end
    assert.matches('^"[%w_-]+"$', tag "hello")
    assert.equal(24, #tag "hello")
    assert.equal(tag "hello", tag "hello")
    assert.not_equal(tag "hello", tag "hello ")
    assert.equal("W/" .. tag "hello", tag("hello", { weak = true }))
    assert.matches('^"[%w_-]+"$', tag "")
  end)

  it("that the client has is a 304 without a body", function()
    local app <close> = serve(function() return { ok = true } end)
    local tag = ask(app).headers:get "etag"
    for _, known in ipairs { tag, "W/" .. tag, '"x", ' .. tag, "*" } do
      for _, method in ipairs { "GET", "HEAD" } do
        local res = ask(app, { ["if-none-match"] = known }, method)
        assert.equal(304, res.status)
        assert.equal("", res.body)
        assert.equal(tag, res.headers:get "etag")
        assert.is_false(res.headers:has "content-type")
        assert.is_false(res.headers:has "content-length")
      end
    end
    for _, other in ipairs { '"x"', tag:sub(2, -2), tag:upper() .. "x", "" } do
      local res = ask(app, { ["if-none-match"] = other })
      assert.equal(200, res.status)
      assert.same({ ok = true }, res:json())
    end
  end)

  it("is the same for HEAD", function()
    local app <close> = serve(function() return "hello" end)
    assert.equal(ask(app).headers:get "etag", ask(app, nil, "HEAD").headers:get "etag")
  end)

  it("leaves in a 304 what belongs there, and what is not about the body", function()
    local app <close> = serve(function(event)
      event.cookies:set("seen", "1")
      return Response.text("x", { headers = {
        ["cache-control"] = "max-age=1", ["content-location"] = "/x", expires = "Thu, 01 Jan 1970 00:00:00 GMT",
        vary = "Cookie", ["last-modified"] = "Thu, 01 Jan 1970 00:00:00 GMT", ["content-language"] = "en",
        ["content-security-policy"] = "default-src 'self'", ["x-own"] = "1",
      } })
    end)
    local headers = ask(app, { ["if-none-match"] = "*" }).headers
    for _, name in ipairs {
      "cache-control", "content-location", "expires", "vary", "etag", "date", "content-security-policy", "x-own",
      "set-cookie",
    } do
      assert.is_true(headers:has(name), name)
    end
    for _, name in ipairs { "content-type", "content-language", "last-modified" } do
      assert.is_false(headers:has(name), name)
    end
  end)

  it("that the route has made stays, and is compared, with its date", function()
    local ran = 0
    local app <close> = serve(function(event)
      local init = { headers = { etag = '"v1"', ["last-modified"] = "Sun, 06 Nov 1994 08:49:37 GMT" } }
      if event.query:has "stream" then
        return Response.stream(function(write)
          ran = ran + 1
          write "streamed"
        end, init)
      end
      return Response.text("x", init)
    end)
    assert.equal('"v1"', ask(app).headers:get "etag")
    assert.equal(304, ask(app, { ["if-none-match"] = '"v1"' }).status)
    assert.equal(304, ask(app, { ["if-modified-since"] = "Sun, 06 Nov 1994 08:49:37 GMT" }).status)
    assert.equal(200, ask(app, { ["if-modified-since"] = "Sun, 06 Nov 1994 08:49:36 GMT" }).status)
    local res = app:get("/?stream", { headers = { ["if-none-match"] = '"v1"' } })
    assert.equal(304, res.status)
    assert.is_false(res.headers:has "transfer-encoding")
    assert.equal(0, ran)
    assert.equal("streamed", app:get("/?stream").body)
  end)

  it("that a reader insists on is a 412 when it is another one", function()
    local app <close> = serve(function() return "hello" end)
    assert.equal(412, ask(app, { ["if-match"] = '"other"' }).status)
    assert.equal(200, ask(app, { ["if-match"] = ask(app).headers:get "etag" }).status)
  end)

  it("is for what GET and HEAD have got whole", function()
    local app <close> = serve(function(event)
      if event.query:has "stream" then
        return Response.stream(function(write) write "x" end)
      end
      return Response.text("x", { status = math.tointeger(tonumber(event.query:get "status" or 200)) })
    end)
    assert.is_false(app:post("/").headers:has "etag")
    assert.equal(200, app:post("/", { headers = { ["if-none-match"] = "*" } }).status)
    for _, path in ipairs { "/?stream", "/?status=201", "/?status=404", "/?status=206" } do
      local res = app:get(path, { headers = { ["if-none-match"] = "*" } })
      assert.is_false(res.headers:has "etag", path)
      assert.not_equal(304, res.status)
    end
    local later = { status = 200, finish = function() end }
    assert.equal(later, etag()({ method = "GET" }, function() return later end))
  end)

  it("leaves a Response that is kept for all requests as it was", function()
    local shared = Response.text "x"
    local app <close> = serve(function() return shared end)
    assert.equal(304, ask(app, { ["if-none-match"] = "*" }).status)
    assert.equal("x", ask(app).body)
    assert.is_false(shared.headers:has "etag")
  end)

  it("lets a 101 pass", function()
    local app <close> = serve(function(event)
      return event.ws:upgrade(function(ws) ws:sendText "hi" end)
    end)
    assert.equal("hi", assert(app:ws("/", { headers = { ["if-none-match"] = "*" } })):receive())
  end)

  it("goes together with compression, whichever is outside", function()
    local long = ("hello "):rep(1000)
    for _, order in ipairs { { compress(), etag() }, { etag(), compress() } } do
      local app <close> = temp_routes.app {
        ["index.lua"] = spry.defineHandler { middleware = order, handler = function() return long end },
      }
      local plain, packed = ask(app), ask(app, { ["accept-encoding"] = "gzip" })
      assert.equal("gzip", packed.headers:get "content-encoding")
      assert.not_equal(plain.headers:get "etag", packed.headers:get "etag")
      for accepted, res in pairs { gzip = packed, identity = plain } do
        local tag = res.headers:get "etag"
        local again = ask(app, { ["accept-encoding"] = accepted, ["if-none-match"] = tag })
        assert.equal(304, again.status)
        assert.equal(tag, again.headers:get "etag")
      end
    end
  end)

  it("checks its options where they are given", function()
    for _, given in ipairs { { week = true }, { weak = "yes" }, "weak" } do
      assert.error_matches(function() etag(given) end, "etag")
    end
  end)
end)
