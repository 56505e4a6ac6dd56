local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("secureHeaders", function()
  local function app_with(options)
    return temp_routes.app {
      ["_middleware.lua"] = middleware.secureHeaders(options),
      ["index.lua"] = function() return "x" end,
      ["own.lua"] = function()
        return spry.Response("x", { headers = { ["X-Frame-Options"] = "DENY", ["content-security-policy"] = "own" } })
      end,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText "hi" end)
      end,
    }
  end

  local defaults = {
    ["cross-origin-opener-policy"] = "same-origin",
    ["cross-origin-resource-policy"] = "same-origin",
    ["origin-agent-cluster"] = "?1",
    ["referrer-policy"] = "no-referrer",
    ["strict-transport-security"] = "max-age=31536000; includeSubDomains",
    ["x-content-type-options"] = "nosniff",
    ["x-dns-prefetch-control"] = "off",
    ["x-download-options"] = "noopen",
    ["x-frame-options"] = "SAMEORIGIN",
    ["x-permitted-cross-domain-policies"] = "none",
    ["x-xss-protection"] = "0",
  }

  it("sets its defaults, on errors and a 101 too", function()
    local app <close> = app_with()
    local ws = assert(app:ws "/ws")
    assert.equal("hi", ws:receive())
    for _, res in ipairs { app:get "/", app:get "/none", ws.response } do
      for name, value in pairs(defaults) do
        assert.equal(value, res.headers:get(name), name)
      end
      assert.is_false(res.headers:has "content-security-policy")
      assert.is_false(res.headers:has "permissions-policy")
      assert.is_false(res.headers:has "cross-origin-embedder-policy")
    end
  end)

  it("changes a header by a string and leaves it out by false", function()
    local app <close> = app_with {
      xFrameOptions = "DENY", strictTransportSecurity = false, contentSecurityPolicy = "default-src 'self'",
      permissionsPolicy = "camera=()", crossOriginEmbedderPolicy = "require-corp",
    }
    local headers = app:get("/").headers
    assert.equal("DENY", headers:get "x-frame-options")
    assert.is_false(headers:has "strict-transport-security")
    assert.equal("default-src 'self'", headers:get "content-security-policy")
    assert.equal("camera=()", headers:get "permissions-policy")
    assert.equal("require-corp", headers:get "cross-origin-embedder-policy")
    assert.equal("nosniff", headers:get "x-content-type-options")
  end)

  it("keeps what the handler said", function()
    local app <close> = app_with { contentSecurityPolicy = "default-src 'self'" }
    local headers = app:get("/own").headers
    assert.same({ "DENY" }, headers:getAll "x-frame-options")
    assert.same({ "own" }, headers:getAll "content-security-policy")
  end)

  it("refuses a value that would split the answer, and true", function()
    for _, wrong in ipairs { "a\r\nset-cookie: x", true, 1, {} } do
      assert.error_matches(function() middleware.secureHeaders { referrerPolicy = wrong } end,
        "referrerPolicy must be a header's value, or false")
    end
  end)
end)
