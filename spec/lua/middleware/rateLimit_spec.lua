local middleware = require "sprylua.middleware"
local temp_routes = require "spec.support.temp_routes"

describe("rateLimit", function()
  local function app_with(options, more)
    local files = {
      ["_middleware.lua"] = middleware.rateLimit(options),
      ["index.lua"] = function() return "x" end,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText "hi" end)
      end,
    }
    for name, content in pairs(more or {}) do files[name] = content end
    return temp_routes.app(files)
  end

  local function limits(res)
    return table.concat({
      res.status, res.headers:get "ratelimit-limit" or "-", res.headers:get "ratelimit-remaining" or "-",
      res.headers:get "ratelimit-reset" or "-", res.headers:get "retry-after" or "-",
    }, " ")
  end

  it("lets so many through a window", function()
    local app <close> = app_with { limit = 2, window = 10 }
    assert.equal("200 2 1 10 -", limits(app:get "/"))
    app.clock:advance(2.5)
    assert.equal("404 2 0 8 -", limits(app:get "/none"))
    local res = app:get "/"
    assert.equal("429 2 0 8 8", limits(res))
    assert.matches("try again in 8 s", res.body)
    app.clock:advance(7.25)
    assert.equal("429 2 0 1 1", limits(app:get "/"))
    app.clock:advance(0.5)
    assert.equal("200 2 1 10 -", limits(app:get "/"))
    assert.same({}, app.log)
  end)

  it("counts by a key, and not at all without one", function()
    local app <close> = app_with {
      limit = 1,
      key = function(event) return event.headers:get "x-key" end,
    }
    local function get(key)
      return limits(app:get("/", { headers = { ["x-key"] = key } }))
    end
    assert.equal("200 1 0 60 -", get "a")
    assert.equal("200 1 0 60 -", get "b")
    assert.equal("429 1 0 60 60", get "a")
    assert.equal("200 - - - -", get())
    assert.equal("200 - - - -", get())
  end)

  it("keeps no key longer than it must be", function()
    local app <close> = app_with { limit = 1, key = function(event) return event.headers:get "x-key" end }
    local long = ("k"):rep(300)
    assert.equal(200, app:get("/", { headers = { ["x-key"] = long .. "1" } }).status)
    assert.equal(429, app:get("/", { headers = { ["x-key"] = long .. "2" } }).status)
  end)

  it("has a count of its own in each place", function()
    local app <close> = app_with({ limit = 1 }, {
      ["b/_middleware.lua"] = middleware.rateLimit { limit = 5 },
      ["b/index.lua"] = function() return "x" end,
    })
    assert.equal("200 1 0 60 -", limits(app:get "/b"))
    assert.equal("429 1 0 60 60", limits(app:get "/b"))
  end)

  it("says what the stricter of two has left", function()
    local app <close> = app_with({ limit = 5 }, {
      ["b/_middleware.lua"] = middleware.rateLimit { limit = 1, window = 10 },
      ["b/index.lua"] = function() return "x" end,
    })
    assert.equal("200 1 0 10 -", limits(app:get "/b"))
    assert.equal("429 1 0 10 10", limits(app:get "/b"))
  end)

  it("keeps its fields on the page of an error file", function()
    local app <close> = app_with({ limit = 1 }, { ["_error.lua"] = function(err) return { sorry = err.status } end })
    app:get "/"
    local res = app:get "/"
    assert.same({ sorry = 429 }, res:json())
    assert.equal("429 1 0 60 60", limits(res))
  end)

  it("limits handshakes", function()
    local app <close> = app_with { limit = 1 }
    local ws = assert(app:ws "/ws")
    assert.equal("0", ws.response.headers:get "ratelimit-remaining")
    assert.equal("hi", ws:receive())
    local refused, res = app:ws "/ws"
    assert.is_nil(refused)
    assert.equal(429, res.status)
  end)

  it("forgets the key that has not come for longest when there are too many", function()
    local app <close> = app_with { limit = 1, maxKeys = 4, key = function(event) return event.query:get "k" end }
    for _, key in ipairs { "a", "b", "c", "d", "e" } do
      assert.equal(200, app:get("/?k=" .. key).status)
    end
    assert.equal(429, app:get("/?k=e").status)
    assert.equal(200, app:get("/?k=a").status)
  end)

  it("says so when a key is none", function()
    for shown, key in pairs { ["a table"] = {}, ["a boolean"] = false, ["not a number"] = 0 / 0 } do
      local app <close> = app_with { limit = 1, key = function() return key end }
      assert.equal(500, app:get("/").status)
      assert.matches("the function key of rateLimit returned " .. shown, app.log[1])
    end
  end)

  it("refuses options that do not fit", function()
    for message, options in pairs {
      ["needs the option limit"] = {}, ["limit must be a whole number from 1 to"] = { limit = 0 },
      ["window must be a number of seconds"] = { limit = 1, window = 0 },
      ["maxKeys must be a whole number from 2 to"] = { limit = 1, maxKeys = 1 },
    } do
      assert.error_matches(function() middleware.rateLimit(options) end, message)
    end
  end)
end)
