-- Chromium against a real server: the pages that come with the project. Each `it` is a scenario of
-- spec/node/browser.js; what it expects is written there.

local clients = require "spec.support.clients"
local compressed_routes = require "spec.support.compressed_routes"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

describe("Chromium", function()
  local running

  local function serve(routes, port)
    running = server.serve(routes, { arguments = { "--log", "none", "-p", tostring(port or 0) } })
  end

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  for _, case in ipairs {
    { "chats in two windows, and comes back when one is loaded anew", "chat", "routes" },
    { "shows the hybrid page, and what its WebSocket says", "hybrid", "routes" },
    { "logs it on the hybrid page of the example", "hybridExample", "examples/hybrid/routes" },
    { "finds every page that the first one names", "links", "routes" },
  } do
    local name, scenario, routes = table.unpack(case)
    it(name, function()
      serve(routes)
      clients.browser(scenario, running.url)
      server.stop(running)
    end)
  end

  it("compresses messages where the server wants it", function()
    local files = {
      ["routes/index.lua"] = [[return function() return require "sprylua".Response.html "<p>a page</p>" end]],
    }
    for name, text in pairs(compressed_routes) do files[name] = text end
    serve(temp_routes.project(files) .. "/routes")
    clients.browser("deflate", running.url)
    server.stop(running)
  end)

  it("connects again by itself when the server is back", function()
    serve "routes"
    local port = running.port
    local child <close> = clients.start_browser("returns", running.url)
    child:saw "(connected)\n"
    server.stop(running)
    child:saw "(lost)\n"
    running:cleanup()
    serve("routes", port)
    assert.equal(0, child:ended(), child.out .. child.err)
    server.stop(running)
  end)
end)
