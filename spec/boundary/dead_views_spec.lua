-- Userdata are views; C owns. A view whose thing has ended is dead, and never becomes somebody else's (rules 3, 4).
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("a kept event", function()
  local fields = {
    "method", "path", "pathname", "url", "headers", "query", "params", "cookies", "locals", "request", "ws",
    "remoteAddress", "id",
  }

  local function keep(path)
    local kept
    local app = temp_routes.app {
      ["[...].lua"] = function(event)
        kept = event
        return "answered"
      end,
    }
    local response = app:get(path or "/")
    return kept, app, response
  end

  it("is dead after its request: a read raises a sentence", function()
    local event, app = keep()
    for _, field in ipairs(fields) do
      local ok, message = pcall(function() return event[field] end)
      -- What was made of it before may stay; what was not asked for can't be made any more.
      assert.is_false(ok, field)
      assert.matches("request", message, 1, true)
    end
    app:close()
  end)

  it("is dead when its parts were kept, too", function()
    local headers, request, upgrade, query
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        headers, request, upgrade, query = event.headers, event.request, event.ws, event.query
        return "x"
      end,
    }
    app:get("/?a=1")
    assert.is_false(pcall(headers.get, headers, "host"))
    assert.is_false(pcall(request.text, request))
    assert.is_false(pcall(function() return upgrade.isUpgradeRequest end))
    assert.is_false(pcall(upgrade.upgrade, upgrade, print))
    assert.equal("1", query:get "a") -- a plain table by now
  end)

  it("does not become the next request's on the same connection", function()
    local events = {}
    local app <close> = temp_routes.app {
      ["[n].lua"] = function(event)
        events[#events + 1] = event
        return event.pathname
      end,
    }
    local connection = app:connect()
    for i = 1, 5 do
      connection:send(("GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(i))
      assert.equal("/" .. i, connection:answer().body)
    end
    for i = 1, 5 do assert.is_false(pcall(function() return events[i].pathname end)) end
  end)

  it("is alive in a background task only as long as its request", function()
    local results = {}
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        spry.spawn(function()
          results[1] = pcall(function() return event.pathname end)
          spry.sleep(2)
          results[2] = pcall(function() return event.pathname end)
        end)
        spry.sleep(1)
        return "x"
      end,
    }
    app:get "/"
    app.clock:advance(2)
    assert.same({ true, false }, results)
  end)

  it("can be collected at any time", function()
    for _ = 1, 20 do
      local event, app = keep("/" .. ("x"):rep(100))
      assert.is_userdata(event)
      app:close()
      event, app = nil, nil -- luacheck: ignore
      collectgarbage()
    end
  end)
end)

describe("methods on the wrong self", function()
  it("raise and say so", function()
    local kept
    local app <close> = sessions.app(function(ws)
      kept = ws
      ws.events:drain()
    end)
    app:ws "/ws"
    for _, wrong in ipairs { {}, "x", 1, io.stdout } do
      for _, method in ipairs { "sendText", "sendBinary", "close", "ping", "receive", "flush" } do
        local ok, message = pcall(kept[method], wrong, "x")
        assert.is_false(ok)
        assert.is_string(message)
      end
    end
    assert.is_false(pcall(kept.sendText))
  end)

  it("raise for fields that do not exist, or say nil, but never crash", function()
    local kept
    local app <close> = sessions.app(function(ws)
      kept = ws
      ws.events:drain()
    end)
    app:ws "/ws"
    for _, key in ipairs { "nothing", 1, true, {} } do
      pcall(function() return kept[key] end)
      pcall(function() kept[key] = 1 end)
    end
    assert.is_true(kept:sendText "still fine")
  end)
end)

describe("a kept ws", function()
  it("is told apart from others, and dead ones take everything quietly", function()
    local all = {}
    local app <close> = sessions.app(function(ws)
      all[#all + 1] = ws
      ws.events:drain()
    end)
    for _ = 1, 10 do
      local client = app:ws "/ws"
      client:hangup()
    end
    collectgarbage()
    local alive = app:ws "/ws"
    for i = 1, 10 do assert.same({ nil, "closed" }, { all[i]:sendText "x" }) end
    assert.is_true(all[11]:sendText "for you")
    assert.equal("for you", alive:receive())
    assert.is_false(all[1] == all[2])
  end)
end)
