-- Completion is reported from inside; a coroutine that the user closes can't report, and is left alone (rules 6, 9).
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("coroutine.close by the user", function()
  it("of a waiting handler leads to the deadline's 503", function()
    local thread
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        thread = coroutine.running()
        return event.request:text()
      end,
    }
    local connection = app:connect()
    connection:send "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc"
    assert.is_true(coroutine.close(thread))
    connection:send "def"
    local status = connection:answer().status
    assert.is_true(status == 503 or status == 500, status)
    connection:hangup()
    app.clock:advance(61)
    assert.equal(0, app.core:stats().tasks)
  end)

  it("of a waiting session ends it with 1011 when it is next needed", function()
    local thread
    local app <close> = sessions.app(function(ws)
      thread = coroutine.running()
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    assert.is_true(coroutine.close(thread))
    ws:sendText "nobody reads this"
    assert.equal(1011, select(3, ws:receive()))
    app.clock:advance(1)
    assert.equal(0, app.core:stats().connections)
    assert.equal(0, app.core:stats().sessions)
  end)

  for _, order in ipairs { "before", "after" } do
    it("of a session that sleeps, " .. order .. " its client has left, leaves nothing behind", function()
      local thread
      local app <close> = sessions.app(function()
        thread = coroutine.running()
        spry.sleep(1000)
      end)
      local ws = app:ws "/ws"
      if order == "before" then assert.is_true(coroutine.close(thread)) end
      ws:close()
      ws:hangup()
      if order == "after" then assert.is_true(coroutine.close(thread)) end
      app.clock:advance(120)
      assert.equal(0, app.core:stats().tasks)
    end)
  end

  it("of another reader frees its place", function()
    local app <close> = sessions.app(function(ws)
      local reader = coroutine.create(function() ws:receive() end)
      assert(coroutine.resume(reader))
      coroutine.close(reader)
      local _, data = ws:receive()
      ws:sendText("got " .. data)
    end)
    local ws = app:ws "/ws"
    ws:sendText "it"
    assert.equal("got it", ws:receive())
  end)

  it("of a reader that was collected frees its place as well", function()
    local app <close> = sessions.app(function(ws)
      local task = spry.spawn(function() ws:receive() end)
      task:cancel()
      task = nil -- luacheck: ignore
      collectgarbage()
      local _, data = ws:receive()
      ws:sendText("got " .. data)
    end)
    local ws = app:ws "/ws"
    ws:sendText "it"
    assert.equal("got it", ws:receive())
  end)
end)
