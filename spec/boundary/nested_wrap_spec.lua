-- The wait belongs to the coroutine that called: nested coroutines wait on their own (rules 5, 6).
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("a nested coroutine", function()
  it("that waits for messages is woken itself, not the session's", function()
    local order = {}
    local app <close> = sessions.app(function(ws)
      coroutine.wrap(function()
        order[#order + 1] = "inner waits"
        local _, data = ws:receive()
        order[#order + 1] = "inner got " .. data
      end)()
      order[#order + 1] = "outer goes on"
      spry.sleep(10)
      order[#order + 1] = "outer slept"
    end)
    local ws = app:ws "/ws"
    ws:sendText "it"
    assert.same({ "inner waits", "outer goes on", "inner got it" }, order)
    app.clock:advance(11)
    assert.equal("outer slept", order[4])
  end)

  it("as a generator that does not wait is nobody's business", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local sum = 0
        for n in coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end) do sum = sum + n end
        return tostring(sum)
      end,
    }
    assert.equal("55", app:get("/").body)
  end)

  it("that raises in its own wait does not take the handler with it", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        coroutine.wrap(function()
          spry.sleep(1)
          error "inner trouble"
        end)()
        spry.sleep(2)
        return "outer"
      end,
    }
    assert.equal("outer", app:get("/").body)
    assert.matches("inner trouble", table.concat(app.log, "\n"))
  end)

  it("five deep, each waiting, is woken from the inside out", function()
    local app <close> = sessions.app(function(ws)
      local function nest(n)
        if n == 0 then return select(2, ws:receive()) end
        local result
        local co = coroutine.create(function() result = nest(n - 1) end)
        assert(coroutine.resume(co))
        while coroutine.status(co) ~= "dead" do spry.sleep(0.1) end
        return result .. n
      end
      ws:sendText(nest(5))
    end)
    local ws = app:ws "/ws"
    ws:sendText "x"
    app.clock:advance(2)
    assert.equal("x12345", ws:receive())
  end)

  it("may be created in one request and be used in another", function()
    local kept
    local app <close> = temp_routes.app {
      ["make.lua"] = function()
        kept = coroutine.wrap(function() for i = 1, 3 do coroutine.yield("value " .. i) end end)
        return kept()
      end,
      ["use.lua"] = function() return kept() end,
    }
    assert.equal("value 1", app:get("/make").body)
    assert.equal("value 2", app:get("/use").body)
  end)
end)
