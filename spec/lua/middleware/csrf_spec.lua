local middleware = require "sprylua.middleware"
local temp_routes = require "spec.support.temp_routes"

describe("csrf", function()
  local PAGE = "https://example.org"

  local function app_with(options)
    return temp_routes.app {
      ["_middleware.lua"] = middleware.csrf(options),
      ["index.lua"] = function() return "done" end,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText "hi" end, { origins = { PAGE } })
      end,
    }
  end

  local function status(app, method, site, origin, host)
    return app:request(method, "/", {
      headers = { ["sec-fetch-site"] = site, origin = origin, host = host or "example.com" },
    }).status
  end

  it("lets a site's own pages post, and what is no browser", function()
    local app <close> = app_with()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      assert.equal(200, status(app, method, "same-origin", "https://example.com"))
      assert.equal(200, status(app, method, "same-origin", "https://behind.a.proxy"))
      assert.equal(200, status(app, method, "none"))
      assert.equal(200, status(app, method, nil, "https://example.com"))
      assert.equal(200, status(app, method, nil, "http://EXAMPLE.com:80"))
      assert.equal(200, status(app, method))
    end
  end)

  it("refuses other sites' pages, and says what to do", function()
    local app <close> = app_with()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      assert.equal(403, status(app, method, "cross-site", PAGE))
      assert.equal(403, status(app, method, "same-site", "https://a.example.com"))
      assert.equal(403, status(app, method, "cross-site"))
      assert.equal(403, status(app, method, "cross-site", "https://example.com"))
      assert.equal(403, status(app, method, nil, PAGE))
      assert.equal(403, status(app, method, nil, "null"))
      assert.equal(403, status(app, method, nil, ""))
      assert.equal(403, status(app, method, nil, "https://example.com:8443"))
      assert.equal(403, status(app, method, nil, "https://example.com.evil.com"))
    end
    local res = app:post("/", { headers = { origin = PAGE } })
    assert.matches("page of another site %(Origin: https://example.org%); to allow it, list that origin in the option "
      .. "origins of csrf", res.body)
  end)

  it("is not talked into it by strange or repeated fields", function()
    local app <close> = app_with()
    assert.equal(403, status(app, "POST", "", "https://example.com"))
    assert.equal(403, status(app, "POST", "Same-Origin"))
    assert.equal(403, status(app, "POST", { "same-origin", "cross-site" }))
    assert.equal(403, status(app, "POST", nil, { "https://example.com", PAGE }))
  end)

  it("leaves reading alone", function()
    local app <close> = app_with()
    for _, method in ipairs { "GET", "HEAD", "OPTIONS" } do
      assert.equal(200, status(app, method, "cross-site", PAGE))
    end
  end)

  it("lets in the origins that it was told", function()
    local app <close> = app_with { origins = { PAGE } }
    assert.equal(200, status(app, "POST", "cross-site", PAGE))
    assert.equal(200, status(app, "POST", nil, PAGE))
    assert.equal(403, status(app, "POST", "cross-site", "https://evil.com"))
    assert.equal(403, status(app, "POST", "cross-site"))
    local asking <close> = app_with { origins = function(origin) return origin == PAGE end }
    assert.equal(200, status(asking, "POST", "cross-site", PAGE))
    assert.equal(403, status(asking, "POST", "cross-site", "https://evil.com"))
  end)

  it("leaves a WebSocket to its own check", function()
    local app <close> = app_with()
    local ws = assert(app:ws("/ws", { headers = { origin = PAGE, ["sec-fetch-site"] = "cross-site" } }))
    assert.equal("hi", ws:receive())
    local refused, res = app:ws("/ws", { headers = { origin = "https://evil.com" } })
    assert.is_nil(refused)
    assert.matches("event.ws:upgrade", res.body)
  end)

  it("has no star", function()
    assert.error_matches(function() middleware.csrf { origins = "*" } end, "csrf: origins must be a list of origins")
  end)
end)
