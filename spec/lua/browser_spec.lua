-- How the browser's module is served; what it does, spec/socket/browser_topics_spec.lua asks Chromium.

local temp_routes = require "spec.support.temp_routes"

describe("sprylua.browser", function()
  local app

  before_each(function()
    app = temp_routes.app { ["sprylua.js.get.lua"] = "return require 'sprylua.browser'" }
  end)

  after_each(function() app:close() end)

  it("is a route's handler that sends an ES module", function()
    local answer = app:get "/sprylua.js"
    assert.equal(200, answer.status)
    assert.equal("text/javascript; charset=utf-8", answer.headers:get "content-type")
    assert.equal("no-cache", answer.headers:get "cache-control")
    assert.truthy(answer.body:find("export function connect(", 1, true))
    assert.is_nil(answer.body:find("import", 1, true))
  end)

  it("sends less than 5 KiB", function()
    assert.is_true(#app:get("/sprylua.js").body < 5 * 1024)
  end)

  it("sends nothing to who has it", function()
    local etag = app:get("/sprylua.js").headers:get "etag"
    local answer = app:get("/sprylua.js", { headers = { ["if-none-match"] = etag } })
    assert.equal(304, answer.status)
    assert.equal("", answer.body)
    assert.equal(200, app:get("/sprylua.js", { headers = { ["if-none-match"] = '"other"' } }).status)
  end)
end)
