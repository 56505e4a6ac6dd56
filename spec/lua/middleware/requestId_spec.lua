local middleware = require "sprylua.middleware"
local temp_routes = require "spec.support.temp_routes"

describe("requestId", function()
  local function app_with(options)
    return temp_routes.app {
      ["_middleware.lua"] = middleware.requestId(options),
      ["index.lua"] = function(event) return { event.locals.requestId, event.id } end,
      ["broken.lua"] = function() error "broken" end,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText(ws.id) end)
      end,
    }
  end

  it("names the request in its locals and on its answer", function()
    local app <close> = app_with()
    local res = app:get "/"
    local mine, own = table.unpack(res:json())
    assert.equal(own, mine)
    assert.equal(own, res.headers:get "x-request-id")
    assert.are_not.equal(own, app:get("/").headers:get "x-request-id")
  end)

  it("marks a 404, a 500 and a 101", function()
    local app <close> = app_with()
    assert.is_string(app:get("/none").headers:get "x-request-id")
    assert.is_string(app:get("/broken").headers:get "x-request-id")
    local ws = assert(app:ws "/ws")
    assert.is_string(ws.response.headers:get "x-request-id")
    assert.is_string(ws:receive())
  end)

  it("takes over a client's id only when it is trusted", function()
    local app <close> = app_with()
    assert.are_not.equal("abc", app:get("/", { headers = { ["x-request-id"] = "abc" } }).headers:get "x-request-id")
    local trusting <close> = app_with { trust = true }
    for _, id in ipairs { "abc", "Root=1-67891233:a.b_c+/", ("a"):rep(128) } do
      local res = trusting:get("/", { headers = { ["x-request-id"] = id } })
      assert.equal(id, res.headers:get "x-request-id")
      assert.equal(id, res:json()[1])
    end
  end)

  it("does not take over what is long or strange", function()
    local app <close> = app_with { trust = true }
    for _, id in ipairs { "", ("a"):rep(129), "a b", "a;b", "<script>", "\xc3\xa9", "${jndi:ldap}", { "a", "b" } } do
      local res = app:get("/", { headers = { ["x-request-id"] = id } })
      assert.equal(res:json()[2], res.headers:get "x-request-id")
    end
  end)

  it("has another header, and another maker of ids", function()
    local app <close> = app_with {
      header = "X-Trace",
      generate = function(event) return "made:" .. event.pathname end,
    }
    local res = app:get "/"
    assert.equal("made:/", res.headers:get "x-trace")
    assert.is_false(res.headers:has "x-request-id")
  end)

  it("says so when an id is no string, before the route runs", function()
    local ran = false
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = middleware.requestId { generate = function() end },
      ["index.lua"] = function()
        ran = true
        return "x"
      end,
    }
    assert.equal(500, app:get("/").status)
    assert.is_false(ran)
    assert.matches("the function generate of requestId returned a nil; it returns a string", app.log[1])
  end)

  it("refuses a header that is none", function()
    assert.error_matches(function() middleware.requestId { header = "a b" } end, "header must be the name of a header")
  end)
end)
