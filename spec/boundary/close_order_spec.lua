-- To-be-closed variables run, in order, however a handler or a session ends (rule 14).
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("<close> variables", function()
  local order
  before_each(function() order = {} end)

  local function note(name)
    return spry.defer(function(err) order[#order + 1] = name .. (err ~= nil and "!" or "") end)
  end

  it("of a handler run in reverse, before its answer is read by others", function()
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(_, next)
        local _ <close> = note "middleware"
        local response = next()
        order[#order + 1] = "after next"
        return response
      end,
      ["index.lua"] = function()
        local _ <close> = note "first"
        local _ <close> = note "second"
        return "x"
      end,
    }
    app:get "/"
    assert.same({ "second", "first", "after next", "middleware" }, order)
  end)

  it("see the error", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local _ <close> = note "a"
        error "x"
      end,
    }
    assert.equal(500, app:get("/").status)
    assert.same({ "a!" }, order)
  end)

  it("may wait themselves", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local _ <close> = spry.defer(function()
          spry.sleep(1)
          order[#order + 1] = "slept"
        end)
        return "x"
      end,
    }
    assert.equal("x", app:get("/").body)
    assert.same({ "slept" }, order)
  end)

  it("run when the request's deadline ends a handler that waits", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local _ <close> = note "outer"
        local _ <close> = note "inner"
        spry.sleep(1000)
      end,
    }
    assert.equal(503, app:get("/").status)
    assert.equal("inner", order[1]:sub(1, 5))
    assert.equal("outer", order[2]:sub(1, 5))
  end)

  it("that wait while the host closes the coroutine are an error, no more", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local _ <close> = note "outer"
        local _ <close> = spry.defer(function() spry.sleep(1) end)
        spry.sleep(1000)
      end,
    }
    assert.equal(503, app:get("/").status)
    assert.equal("outer", order[1]:sub(1, 5))
    assert.equal(503, app:get("/").status)
  end)

  it("of a session run when its client vanishes", function()
    local app <close> = sessions.app(function(ws)
      local _ <close> = note "outer"
      local _ <close> = note "inner"
      ws.events:drain()
    end)
    app:ws("/ws"):hangup()
    assert.same({ "inner", "outer" }, order)
  end)

  it("of a session run when it raises", function()
    local app <close> = sessions.app(function(ws)
      local _ <close> = note "a"
      ws:receive()
      error "x"
    end)
    app:ws("/ws"):sendText "go"
    assert.same({ "a!" }, order)
  end)

  it("of a session may still send: the close comes behind it", function()
    local app <close> = sessions.app(function(ws)
      local _ <close> = spry.defer(function() ws:sendText "last words" end)
    end)
    local ws = app:ws "/ws"
    assert.equal("last words", ws:receive())
    assert.equal(1000, select(3, ws:receive()))
  end)
end)
