local json = require "sprylua.json"
local response = require "sprylua.response"

local Response = response.Response

describe("Response", function()
  it("is 200 text", function()
    local res = Response("hello")
    assert.equal(200, res.status)
    assert.equal("hello", res.body)
    assert.equal("text/plain; charset=utf-8", res.headers:get "content-type")
    assert.equal("7", Response(7).body)
  end)

  it("may have no body", function()
    local res = Response(nil, { status = 201, headers = { location = "/x" } })
    assert.equal(201, res.status)
    assert.is_nil(res.body)
    assert.is_false(res.headers:has "content-type")
    assert.equal("/x", res.headers:get "Location")
  end)

  it("has a type for each kind of text", function()
    assert.equal("text/plain; charset=utf-8", Response.text("x").headers:get "content-type")
    assert.equal("text/html; charset=utf-8", Response.html("<p>").headers:get "content-type")
    local res = Response.json { a = 1 }
    assert.equal("application/json", res.headers:get "content-type")
    assert.same({ a = 1 }, json.decode(res.body))
  end)

  it("keeps the type that its author gives", function()
    local res = Response.json({}, { status = 404, headers = { ["Content-Type"] = "application/problem+json" } })
    assert.same({ "application/problem+json" }, res.headers:getAll "content-type")
    assert.equal(404, res.status)
  end)

  it("redirects", function()
    local res = Response.redirect "/login"
    assert.equal(302, res.status)
    assert.equal("/login", res.headers:get "location")
    assert.equal(301, Response.redirect("/", 301).status)
    assert.equal("/caf%C3%A9%20x", Response.redirect("/café x").headers:get "location")
    assert.has_error(function() Response.redirect("/", 200) end)
    assert.has_error(function() Response.redirect("/x\r\nset-cookie: a=b") end)
  end)

  it("is empty with 204", function()
    local res = Response.empty()
    assert.equal(204, res.status)
    assert.is_nil(res.body)
    assert.equal(202, Response.empty(202).status)
  end)

  it("refuses what is no status, at the caller's line", function()
    for _, status in ipairs { 0, 99, 100, 101, 199, 600, 200.5, "200" } do
      local ok, message = pcall(function()
        return { Response("x", { status = status }) }
      end)
      assert.is_false(ok)
      assert.matches("response_spec.lua:%d+: a response's status is a whole number", message)
    end
    assert.has_error(function() Response.empty(101) end)
  end)

  it("refuses what it does not know, at the caller's line", function()
    for _, wrong in ipairs {
      function() return { Response("x", { code = 200 }) } end,
      function() return { Response("x", 200) } end,
      function() return { Response({}) } end,
      function() return { Response.text() } end,
      function() return { Response.html({}) } end,
      function() return { Response.stream "x" } end,
      function() return { Response.events() } end,
      function() return { Response.json({}, { headers = { ["a b"] = "c" } }) } end,
      function() return { Response.text("x", { headers = { a = "b\r\nc: d" } }) } end,
    } do
      local ok, message = pcall(wrong)
      assert.is_false(ok)
      assert.matches("response_spec.lua:%d+:", message)
    end
  end)

  it("refuses fields that nobody reads", function()
    local made = Response.text "x"
    local ok, message = pcall(function() made.statusCode = 404 end)
    assert.is_false(ok)
    assert.matches("response_spec.lua:%d+: a Response has no field statusCode; it has status, headers", message)
    made.status, made.body = 201, nil
    assert.equal(201, made.status)
  end)

  it("streams server-sent events", function()
    local res = Response.events(function(send)
      send "one"
      return send { event = "tick", id = "2", data = "a\nb" }
    end)
    assert.equal("text/event-stream", res.headers:get "content-type")
    assert.equal("no-store", res.headers:get "cache-control")
    local out = {}
    res.stream(function(chunk)
      out[#out + 1] = chunk
      return true
    end)
    assert.same({ "data: one\n\n", "event: tick\nid: 2\ndata: a\ndata: b\n\n" }, out)
  end)

  describe("own", function()
    it("copies a response once for each request", function()
      local constant = Response("x", { headers = { a = "1" } })
      local first, second = {}, {}
      local mine = response.own(constant, first)
      assert.are_not.equal(constant, mine)
      assert.equal(mine, response.own(mine, first))
      mine.headers:append("a", "2")
      mine.status = 500
      assert.equal("1", constant.headers:get "a")
      assert.equal(200, constant.status)
      local other = response.own(mine, second)
      other.headers:delete "a"
      assert.equal("1, 2", mine.headers:get "a")
    end)
  end)

  describe("convert", function()
    local source = { label = "routes/x.lua", role = "handler" }

    it("takes strings, tables and responses", function()
      assert.equal("hi", response.convert("hi", source).body)
      assert.equal('{"a":1}', response.convert({ a = 1 }, source).body)
      assert.equal("[]", response.convert(json.array {}, source).body)
      local res = Response "x"
      assert.equal(res, response.convert(res, source))
      assert.equal(404, response.convert("gone", source, nil, 404).status)
    end)

    it("names the file when it gets something else", function()
      local function message(value, from)
        local ok, problem = pcall(response.convert, value, from or source)
        assert.is_false(ok)
        return problem
      end
      assert.matches("routes/x.lua: the handler returned nothing %(forgot return%?%)", message(nil))
      assert.matches("routes/x.lua: the handler returned a number", message(7))
      assert.matches("returned a boolean", message(true))
      assert.matches("returned a function", message(print))
      assert.matches("returned a userdata", message(io.stdout))
      assert.matches("raise it instead", message(require("sprylua.http_error").NotFoundError()))
      assert.matches("return next%(%)", message(nil, { label = "m", role = "middleware" }))
    end)
  end)
end)
