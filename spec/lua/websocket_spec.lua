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

  it("starts nothing once it is closed", function()
    local kept
    local app <close> = serve(function(ws)
      kept = ws
    end)
    app:ws("/ws"):receive()
    local ran = 0
    local function run() ran = ran + 1 end
    local task <close> = kept:spawn(run)
    assert.is_true(task.done)
    for _, over in ipairs { task, kept:every(1, run), kept:after(1, run), kept:after(0, run) } do
      over:cancel()
      local _ <close> = over
    end
    app.clock:advance(5)
    assert.equal(0, ran)
  end)

  -- Calls `fn(ws)` in a session: what it raises.
  local function raised(fn)
    local message
    local app <close> = serve(function(ws)
      message = select(2, pcall(fn, ws))
    end)
    app:ws("/ws"):receive()
    return message
  end

  it("refuses what is no timer or task where it is called", function()
    for wanted, fn in pairs {
      ["ws:every needs a function to call, not nil"] = function(ws) ws:every(1) end,
      ["ws:after needs a function to call, not nil"] = function(ws) ws:after(1) end,
      ["ws:spawn needs a function to call, not nil"] = function(ws) ws:spawn() end,
      ["ws:every needs a number of seconds, more than 0, not 0"] = function(ws) ws:every(0, print) end,
      ["ws:after needs a number of seconds, 0 or more, not function"] = function(ws) ws:after(print) end,
      ["json.encode: a function has no JSON form, at %$"] = function(ws) ws:sendJson(print) end,
    } do
      assert.matches("websocket_spec.lua:%d+: " .. wanted .. "$", raised(fn))
    end
  end)

  it("says that its methods are called with a colon", function()
    for name, fn in pairs {
      sendJson = function(ws) ws.sendJson {} end, every = function(ws) ws.every(1, print) end,
      after = function(ws) ws.after(1, print) end, spawn = function(ws) ws.spawn(print) end,
      subscribe = function(ws) ws.subscribe "x" end, unsubscribe = function(ws) ws.unsubscribe "x" end,
      publish = function(ws) ws.publish("x", "y") end, track = function(ws) ws.track "x" end,
      untrack = function(ws) ws.untrack() end,
    } do
      local sentence = "a ws's methods are called with a colon, as in ws:" .. name .. "(…)"
      assert.matches("websocket_spec.lua:%d+: " .. sentence:gsub("%p", "%%%0") .. "$", raised(fn))
      assert.equal(sentence, raised(function(ws) error(select(2, pcall(ws[name], "x")), 0) end))
    end
  end)

  it("logs what a session raised, also a table", function()
    local app <close> = serve(function() error { code = 17 } end)
    app:ws("/ws"):receive()
    local log = table.concat(app.log, "\n")
    assert.matches("WebSocket session .*code = 17\nstack traceback:.*websocket_spec.lua", log)
  end)
end)
