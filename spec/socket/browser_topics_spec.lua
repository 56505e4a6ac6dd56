-- The browser's side of topics in Chromium, over a connection that is cut and a server that is killed. What the page
-- expects is in spec/node/browser.js.

local clients = require "spec.support.clients"
local proxies = require "spec.support.proxy"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local files = {
  ["routes/sprylua.js.get.lua"] = [[return require "sprylua.browser"]],
  ["routes/topics.get.lua"] = [[
    local spry = require "sprylua"
    spry.topic("chat", { history = 100 })
    return function(event)
      return event.ws:upgrade(function(ws)
        spry.serveTopics(ws, { allow = function(topic) return topic == "chat" end })
      end)
    end]],
  ["routes/say/[text].get.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      spry.publish("chat", event.params:get "text")
      return "said"
    end]],
  ["routes/index.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.html [=[<!doctype html><title>Topics</title><script type="module">
        import { connect } from "/sprylua.js";
        Object.assign(window, { got: [], ids: [], recovered: [], states: [] });
        window.topics = connect("/topics", {
          minDelay: 50, maxDelay: 200, maxQueue: 2, state: (name) => states.push(name),
        });
        topics.subscribe("chat", {
          message(data, id) { got.push(data); ids.push(id); },
          recovered(all) { recovered.push(all); },
        });
      </script>]=]
    end]],
}

describe("topics in Chromium", function()
  local running

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  it("arrive once and in order over a cut connection, and go on behind a server that was killed", function()
    local routes = temp_routes.project(files) .. "/routes"
    running = server.serve(routes, { arguments = { "--log", "none" } })
    local port = running.port
    local proxy <close> = proxies.start(port)
    local child <close> = clients.start_browser("topics", ("http://127.0.0.1:%d/"):format(proxy.port))

    child:saw "(ready)\n"
    proxy:kill()
    child:saw "(lost the connection)\n"
    for i = 1, 20 do assert.equal("said", (running:get("/say/" .. i))) end
    proxy:resume()
    child:saw "(caught up)\n"

    running:signal "KILL"
    running:ended()
    child:saw "(lost the server)\n"
    running:cleanup()
    running = server.serve(routes, { arguments = { "--log", "none", "-p", tostring(port) } })
    assert.equal(0, child:ended(), child.out .. child.err)
    server.stop(running)
  end)
end)

describe("the browser's module of topics", function()
  for name, scenario in pairs {
    ["delivers once and in order"] = "once",
    ["comes back later and later"] = "backoff",
    ["keeps what is published while it is away"] = "queue",
    ["lets no mistake pass without a word"] = "mistakes",
  } do
    it(name, function()
      local running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
      finally(function() running:cleanup() end)
      clients.node("topics.js", nil, scenario, running.url .. "sprylua.js")
      server.stop(running)
    end)
  end
end)
