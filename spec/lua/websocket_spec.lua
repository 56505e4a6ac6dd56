local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("ws", function()
  local function serve(session)
    return temp_routes.app { ["ws.lua"] = function(event)
      return event.ws:upgrade(session)
    end }
  end

  it("sends JSON", function()
    local result
    local app <close> = serve(function(ws)
      result = ws:sendJson { a = 1 }
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    assert.equal('{"a":1}', ws:receive())
    assert.is_true(result)
  end)

  it("keeps time until its session ends", function()
    local ticks, tocks, spawned = 0, 0, "not run"
    local app <close> = serve(function(ws)
      ws:every(10, function() ticks = ticks + 1 end)
      ws:after(15, function() tocks = tocks + 1 end)
      ws:after(100, function() tocks = tocks + 100 end)
      ws:spawn(function(value)
        spawned = value
        local _ <close> = spry.defer(function() spawned = "ended" end)
        spry.sleep(1000)
        spawned = "slept"
      end, "running")
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    assert.equal("running", spawned)
    app.clock:advance(35)
    assert.same({ 3, 1 }, { ticks, tocks })
    ws:close(1000)
    app.clock:advance(0)
    assert.equal("ended", spawned)
    app.clock:advance(200)
    assert.same({ 3, 1 }, { ticks, tocks })
  end)

  it("ends what a session that raised has started", function()
    local ended = false
    local app <close> = serve(function(ws)
      ws:spawn(function()
        local _ <close> = spry.defer(function() ended = true end)
        spry.sleep(1000)
      end)
      error "broken"
    end)
    local ws = app:ws "/ws"
    assert.equal(1011, select(3, ws:receive()))
    app.clock:advance(0)
    assert.is_true(ended)
  end)

  it("ends what is started after the end", function()
    local kept
    local app <close> = serve(function(ws)
      kept = ws
    end)
    app:ws("/ws"):receive()
    local ran = 0
    kept:every(1, function() ran = ran + 1 end)
    kept:after(1, function() ran = ran + 1 end)
    app.clock:advance(5)
    assert.equal(0, ran)
  end)
end)
