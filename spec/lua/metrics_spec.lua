-- The numbers that a server shows of itself.

local app = require "sprylua.app"
local config = require "sprylua.config"
local temp_routes = require "spec.support.temp_routes"
local text = require "sprylua.metrics.text"

local function build(files, settings)
  return temp_routes.app(files, { config = config.complete(settings or { metrics = "/metrics" }) })
end

describe("metrics", function()
  local routes = {
    ["hello.get.lua"] = "return function() return 'hello' end",
    ["any.lua"] = "return function() return 'any' end",
    ["users/[id].get.lua"] = "return function(event) return event.params.id end",
    ["broken.get.lua"] = "return function() error 'broken' end",
  }

  it("count requests by route, method and status", function()
    local served <close> = build(routes)
    for _, path in ipairs { "/hello", "/hello", "/users/1", "/users/2", "/broken", "/nowhere", "/hello?x=1" } do
      served:get(path)
    end
    served:request("POST", "/any")
    served:request("HEAD", "/hello")
    served:request("DELETE", "/hello")
    local shown = served:get("/metrics").body
    for _, line in ipairs {
      'route="/hello",method="GET",status="200"} 3', 'route="/hello",method="HEAD",status="200"} 1',
      'route="/users/:id",method="GET",status="200"} 2', 'route="/any",method="POST",status="200"} 1',
      'route="/broken",method="GET",status="500"} 1', 'route="",method="GET",status="404"} 1',
      'route="",method="DELETE",status="405"} 1',
    } do
      assert.truthy(shown:find('sprylua_requests_total{worker="1",' .. line .. "\n", 1, true), line .. "\n" .. shown)
    end
    assert.is_nil(shown:find("nowhere", 1, true))
  end)

  it("count how long answers take in buckets that add up", function()
    local served <close> = build(routes)
    for _ = 1, 3 do served:get "/hello" end
    local shown, last = served:get("/metrics").body, 0
    local bounds = 0
    for count in shown:gmatch 'seconds_bucket{worker="1",route="/hello",le="[%d.+Inf]+"} (%d+)\n' do
      assert.is_true(tonumber(count) >= last)
      last, bounds = tonumber(count), bounds + 1
    end
    assert.equal(14, bounds)
    assert.truthy(shown:find('route="/hello",le="+Inf"} 3\n', 1, true))
    assert.truthy(shown:find('sprylua_request_seconds_count{worker="1",route="/hello"} 3\n', 1, true))
  end)

  it("are text that Prometheus reads: a family's lines together, after its type", function()
    local served <close> = build(routes)
    served:get "/hello"
    local answer = served:get "/metrics"
    assert.equal(200, answer.status)
    assert.equal("text/plain; version=0.0.4; charset=utf-8", answer.headers:get "content-type")
    assert.equal("no-store", answer.headers:get "cache-control")
    local family, seen
    seen = {}
    for line in answer.body:gmatch "([^\n]*)\n" do
      local typed = line:match "^# TYPE (%S+) %l+$"
      if typed then
        assert.is_nil(seen[typed])
        family, seen[typed] = typed, true
      elseif not line:find "^# HELP " then
        local name = line:match '^([%l_]+){worker="1".*} %d[%d.e+-]*$'
        assert.truthy(name, line)
        assert.equal(family, (name:gsub("_bucket$", ""):gsub("^(sprylua_request_seconds)_%l+$", "%1")))
      end
    end
    assert.is_true(seen.sprylua_lua_bytes and seen.sprylua_connections)
  end)

  it("count connections, bytes and messages", function()
    local files = { ["echo.get.lua"] = [[
      return function(event)
        return event.ws:upgrade(function(ws)
          for kind, data in ws.events do
            if kind == "text" then ws:sendText(data) ws:sendText(data) end
          end
        end)
      end]] }
    local served <close> = build(files)
    local before = served:get("/metrics").body
    local session = served:ws "/echo"
    for _ = 1, 3 do session:sendText "abc" end
    for _ = 1, 6 do assert.equal("abc", session:receive()) end
    local shown = served:get("/metrics").body
    local function grown(name)
      local pattern = "\nsprylua_" .. name .. '{worker="1"} (%d+)\n'
      return tonumber(shown:match(pattern)) - tonumber(before:match(pattern))
    end
    assert.equal(3, grown "messages_received_total")
    assert.equal(6, grown "messages_sent_total")
    assert.equal(1, grown "sessions")
    assert.is_true(grown "accepted_total" >= 1)
    assert.is_true(grown "received_bytes_total" > 3 * 9)
    assert.is_true(grown "sent_bytes_total" > 6 * 5)
    assert.equal(0, grown "slow_closes_total")
  end)

  it("count messages that a slow peer does not get, and sessions that are closed for it", function()
    local files = { ["slow/[policy].get.lua"] = [[
      return function(event)
        return event.ws:upgrade(function(ws)
          ws:receive()
          for _ = 1, 20 do ws:sendText(("x"):rep(1000)) end
          package.loaded.dropped = ws.dropped
        end, { maxBuffered = 5000, onSlow = event.params.policy })
      end]] }
    local served <close> = build(files)
    local function shown(name)
      return tonumber(served:get("/metrics").body:match("\nsprylua_" .. name .. '{worker="1"} (%d+)\n'))
    end
    local function overwhelm(policy)
      local session = served:ws("/slow/" .. policy)
      session.connection:stall()
      session:sendText "go"
      session:hangup()
      return package.loaded.dropped
    end
    local dropped, closes = shown "messages_dropped_total", shown "slow_closes_total"
    local lost = overwhelm "drop"
    assert.is_true(lost > 10)
    assert.equal(dropped + lost, shown "messages_dropped_total")
    assert.equal(closes, shown "slow_closes_total")
    overwhelm "close"
    assert.equal(closes + 1, shown "slow_closes_total")
    package.loaded.dropped = nil
  end)

  it("keep what apps have counted that are gone", function()
    local served <close> = build(routes)
    local function accepted()
      return tonumber(served:get("/metrics").body:match 'sprylua_accepted_total{worker="1"} (%d+)\n')
    end
    do
      local other = build(routes)
      for _ = 1, 50 do other:get "/hello" end
      other:close()
    end
    local before = accepted()
    for _ = 1, 3 do collectgarbage() end
    assert.is_true(accepted() >= before)
  end)

  it("go on in the next app that gets them", function()
    local folder = temp_routes.project { ["routes/hello.get.lua"] = routes["hello.get.lua"] } .. "/routes"
    local settings = config.complete { metrics = "/metrics" }
    local first = assert(app.load(folder, { config = settings }))
    local second = assert(app.load(folder, { config = settings, metrics = first.metrics }))
    assert.equal(first.metrics, second.metrics)
    assert.is_nil(assert(app.load(folder, { config = config.complete {}, metrics = first.metrics })).metrics)
  end)

  it("pass through the project's middleware, as other routes do", function()
    local files = { ["../middleware/10_guard.lua"] = [[
      return function(event, next)
        if event.pathname == "/metrics" then return require("sprylua").Response.text("no", { status = 403 }) end
        return next()
      end]] }
    for name, content in pairs(routes) do files[name] = content end
    local served <close> = build(files)
    assert.equal(403, served:get("/metrics").status)
    assert.equal(200, served:get("/hello").status)
  end)

  it("are not there unless the config says where", function()
    local served <close> = build(routes, {})
    assert.equal(404, served:get("/metrics").status)
  end)

  it("do not take a path that is the project's", function()
    local folder = temp_routes.project { ["routes/metrics.get.lua"] = "return function() return '' end" }
    local loaded, problems = app.load(folder .. "/routes", { config = config.complete { metrics = "/metrics" } })
    assert.is_nil(loaded)
    assert.matches('metrics = "/metrics": the project has a route of that path', problems[1])
  end)

  it("escape what has quotes, backslashes and line ends", function()
    assert.equal([[name{a="\"\\\n",b="1"} 2]], text.sample("name", { "a", "\"\\\n", "b", 1 }, 2))
    assert.equal("name{} 0.25", text.sample("name", {}, 0.25))
  end)
end)

describe("the path of the metrics", function()
  it("is plain", function()
    for _, path in ipairs { "/metrics", "/internal/metrics", "/a.b-c_d~e" } do
      assert.truthy(config.complete { metrics = path })
    end
    for _, path in ipairs { "metrics", "/", "", "/metrics/", "//a", "/[id]", "/a b", "/..", "/./a", "/%61", true } do
      assert.is_nil((config.complete { metrics = path }), tostring(path))
    end
  end)
end)
