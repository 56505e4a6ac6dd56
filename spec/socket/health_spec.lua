-- /healthz and /readyz of a server that stops: it lives, and wants no more requests.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

describe("a server that stops", function()
  local running

  after_each(function() running:cleanup() end)
  teardown(temp_routes.clean)

  local function ask(client, path)
    client:send(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(path))
    return client:answer().status
  end

  it("is alive and not ready, to new connections while onStop runs and to those that are open", function()
    running = server.serve(temp_routes.project {
      ["sprylua.config.lua"] = "return { health = true }",
      ["routes/go.lua"] = "return function() package.loaded.go = true return 'gone' end",
      ["hooks.lua"] = [[
        local sleep = require "sprylua".sleep
        return { onStop = function() repeat sleep(0.01) until package.loaded.go end }]],
    } .. "/routes")
    local open <close> = server.connect(running.port)
    local last <close> = server.connect(running.port)
    assert.equal(200, ask(open, "/readyz"))
    assert.equal(200, ask(last, "/readyz"))
    running:signal "TERM"
    running:wait(function() return select(2, running:get "/readyz") == 503 end, "that it is not ready")
    assert.equal(200, select(2, running:get "/healthz"))
    assert.equal(503, ask(open, "/readyz"))
    assert.equal(200, ask(open, "/healthz"))
    assert.equal(200, ask(open, "/go"))
    assert.equal(503, ask(last, "/readyz")) -- within the second that it has: it drains
    assert.equal(0, running:ended())
    assert.is_nil(running:out():find "healthz")
    assert.is_nil(running:out():find "readyz")
    assert.truthy(running:out():find "/go")
  end)
end)
