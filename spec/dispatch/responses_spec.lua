local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local Response = spry.Response

describe("what a handler returns", function()
  local answer
  local app

  before_each(function()
    app = temp_routes.app { ["index.lua"] = function(event)
      return answer(event)
    end }
  end)

  after_each(function()
    app:close()
  end)

  local function get(fn)
    answer = fn
    return app:get "/"
  end

  it("may be a string, a table, or a Response", function()
    local res = get(function() return "hello" end)
    assert.equal(200, res.status)
    assert.equal("hello", res.body)
    assert.equal("text/plain; charset=utf-8", res.headers:get "content-type")
    res = get(function() return { ok = true, list = spry.json.array {} } end)
    assert.equal("application/json", res.headers:get "content-type")
    assert.same({ ok = true, list = {} }, res:json())
    res = get(function() return Response.html("<p>", { status = 201, headers = { ["X-A"] = "1" } }) end)
    assert.equal(201, res.status)
    assert.equal("1", res.headers:get "x-a")
    assert.equal("text/html; charset=utf-8", res.headers:get "content-type")
  end)

  it("may be one Response for every request", function()
    local constant = Response.json({ a = 1 }, { headers = { ["x-a"] = "1" } })
    for _ = 1, 3 do
      local res = get(function() return constant end)
      assert.equal("1", res.headers:get "x-a")
      assert.same({ a = 1 }, res:json())
    end
  end)

  it("may be nothing but a status", function()
    local res = get(function() return Response.empty() end)
    assert.equal(204, res.status)
    assert.is_false(res.headers:has "content-length")
    res = get(function() return Response(nil, { status = 201 }) end)
    assert.equal("0", res.headers:get "content-length")
    res = get(function() return Response.redirect("/there", 303) end)
    assert.equal(303, res.status)
    assert.equal("/there", res.headers:get "location")
  end)

  it("may be a stream, which runs as the client takes it", function()
    local res = get(function()
      return Response.stream(function(write)
        for i = 1, 3 do
          assert(write(tostring(i)))
          spry.sleep(1)
        end
      end, { headers = { ["content-type"] = "text/csv" } })
    end)
    assert.equal("123", res.body)
    assert.equal("text/csv", res.headers:get "content-type")
    assert.equal("chunked", res.headers:get "transfer-encoding")
  end)

  it("may be server-sent events, until the client goes", function()
    local ended
    answer = function()
      return Response.events(function(send)
        local n = 0
        local _ <close> = spry.defer(function() ended = n end)
        while true do
          n = n + 1
          send { event = "tick", data = tostring(n) }
          spry.sleep(1)
        end
      end)
    end
    local res = app:get("/", { stream = true })
    assert.equal("text/event-stream", res.headers:get "content-type")
    assert.equal("event: tick\ndata: 1\n\n", res:receive())
    app.clock:advance(1)
    assert.equal("event: tick\ndata: 2\n\n", res:receive())
    res:hangup()
    assert.equal(2, ended)
  end)

  it("breaks off when a stream raises, and says so in the log", function()
    answer = function()
      return Response.stream(function(write)
        write "half"
        spry.sleep(1) -- the half goes out
        error "broken"
      end)
    end
    local ok = pcall(app.get, app, "/")
    assert.is_false(ok)
    assert.matches("broken", app.log[1])
  end)

  it("is a 500 that names the file when it is nothing of the sort", function()
    for sentence, fn in pairs {
      ["returned nothing %(forgot return%?%)"] = function() end,
      ["returned a number"] = function() return 7 end,
      ["returned a boolean"] = function() return true end,
      ["returned a function"] = function() return print end,
      ["returned a userdata"] = function(event) return event end,
      ["returned an HTTPError; raise it instead"] = function() return spry.NotFoundError() end,
    } do
      local res = get(fn)
      assert.equal(500, res.status)
      assert.matches("routes/index.lua: the handler " .. sentence, app.log[#app.log])
    end
    assert.equal(6, #app.log)
  end)

  it("is a 500 when it is no JSON", function()
    for _, value in ipairs { { f = print }, { 0 / 0 }, { "\xff" } } do
      assert.equal(500, get(function() return value end).status)
    end
    assert.equal(3, #app.log)
  end)
end)

describe("Response.file", function()
  it("sends a file with its type, length and date", function()
    local folder = temp_routes.project {
      ["files/a.html"] = "<p>hello</p>",
      ["files/big.bin"] = ("0123456789"):rep(50000),
      ["files/empty.txt"] = "",
      ["secret.txt"] = "secret",
    }
    local app <close> = temp_routes.app { ["[...name].lua"] = function(event)
      return Response.file(folder .. "/files/" .. event.params.name, { headers = { ["cache-control"] = "no-store" } })
    end }
    local res = app:get "/a.html"
    assert.equal("<p>hello</p>", res.body)
    assert.equal("text/html; charset=utf-8", res.headers:get "content-type")
    assert.equal("12", res.headers:get "content-length")
    assert.equal("no-store", res.headers:get "cache-control")
    assert.matches("^%a+, %d%d %a+ %d+ %d%d:%d%d:%d%d GMT$", res.headers:get "last-modified")
    res = app:get "/big.bin"
    assert.equal(500000, #res.body)
    assert.equal("500000", res.headers:get "content-length")
    assert.equal(("0123456789"):rep(50000), res.body)
    assert.equal("0", app:get("/empty.txt").headers:get "content-length")
    assert.equal("500000", app:head("/big.bin").headers:get "content-length")
    for _, path in ipairs { "/none", "/..%2fsecret.txt", "/x%2f..%2f..%2fsecret.txt", "/" } do
      assert.equal(404, app:get(path).status, path)
    end
  end)
end)
