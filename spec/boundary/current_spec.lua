-- core.request.current: which request the running coroutine answers.
local core = require "sprylua.core"
local temp_routes = require "spec.support.temp_routes"

describe("the current event", function()
  it("is that of the request that the coroutine answers, at any depth and behind other C functions", function()
    local function deep(n)
      if n == 0 then return core.request.current() end
      local found = deep(n - 1)
      return found
    end
    local app <close> = temp_routes.app {
      ["index.get.lua"] = function(event)
        local same = rawequal(core.request.current(), event)
        for n = 0, 70 do same = same and rawequal(deep(n), event) end
        local _, inside = pcall(string.gsub, "x", "x", function() same = same and rawequal(deep(3), event) end)
        return { same = same, type = type(inside) }
      end,
      ["waits.get.lua"] = function(event)
        require("sprylua").sleep(1)
        return tostring(rawequal(core.request.current(), event))
      end,
      ["tail.get.lua"] = function()
        local function tail() return core.request.current() end
        return tail().pathname
      end,
    }
    assert.same({ same = true, type = "string" }, app:get("/"):json())
    assert.equal("true", app:get("/waits").body)
    assert.equal("/tail", app:get("/tail").body)
  end)

  it("is nil elsewhere: outside, in a coroutine of one's own, in a session", function()
    assert.is_nil(core.request.current())
    local seen
    local app <close> = temp_routes.app {
      ["index.get.lua"] = function()
        return type(coroutine.wrap(core.request.current)())
      end,
      ["ws.get.lua"] = function(event)
        return event.ws:upgrade(function() seen = type(core.request.current()) end)
      end,
    }
    assert.equal("nil", app:get("/").body)
    app:ws("/ws"):receive()
    assert.equal("nil", seen)
  end)

  it("is there until the handler has returned, its closables too", function()
    local seen = {}
    local app <close> = temp_routes.app {
      ["index.get.lua"] = function()
        local _ <close> = setmetatable({}, { __close = function() seen.closing = type(core.request.current()) end })
        return "x"
      end,
    }
    assert.equal("x", app:get("/").body)
    assert.equal("userdata", seen.closing)
  end)
end)
