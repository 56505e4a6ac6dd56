-- Completion is reported from inside; a coroutine that the user closes can't report, and is left alone (rules 6, 9).
local log = require "sprylua.log"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

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

  for when, need in pairs {
    ["it is next needed"] = function(ws) ws:sendText "nobody reads this" end,
    ["its client is asked whether it is there"] = function(_, app) app.clock:advance(26) end,
  } do
    it("of a waiting session ends it with 1011 when " .. when, function()
      local thread
      local app <close> = sessions.app(function(ws)
        thread = coroutine.running()
        ws.events:drain()
      end)
      local ws = app:ws "/ws"
      assert.is_true(coroutine.close(thread))
      local said = table.concat(log.capture(function() need(ws, app) end))
      assert.equal(1011, select(3, ws:receive()))
      assert.matches("the coroutine of a WebSocket session %x+%-%d+ was closed by somebody else", said)
      app.clock:advance(1)
      assert.equal(0, app.core:stats().connections)
      assert.equal(0, app.core:stats().sessions)
    end)
  end

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

describe("what a session has started", function()
  for _, how in ipairs { "given up", "closed by somebody else" } do
    it("ends with it when it is " .. how, function()
      local ticks, thread = 0, nil
      local app <close> = sessions.app(function(ws)
        thread = coroutine.running()
        ws:spawn(function()
          while true do
            spry.sleep(1)
            ticks = ticks + 1
          end
        end)
        spry.sleep(1000)
      end)
      local ws = app:ws "/ws"
      if how == "given up" then ws:hangup() else coroutine.close(thread) end
      app.clock:advance(60)
      local seen = ticks
      app.clock:advance(60)
      assert.equal(seen, ticks)
      if how ~= "given up" then ws:hangup() end
    end)
  end
end)

describe("a to-be-closed variable of what is given up", function()
  it("may raise, which is logged, and told to onError", function()
    local told
    local project = temp_routes.project {
      ["hooks.lua"] = "return { onError = function(err, ws) require 'told'(err, ws) end }",
      ["routes/ws.lua"] = [[
        local spry = require "sprylua"
        return function(event)
          if not event.ws.isUpgradeRequest then
            return spry.Response.stream(function(write)
              local _ <close> = spry.defer(function() error "half a stream" end)
              write "begun"
              spry.sleep(1000)
            end)
          end
          return event.ws:upgrade(function(ws)
            local _ <close> = spry.defer(function() error "half a cleanup" end)
            ws:sendText(ws.id)
            spry.sleep(1000)
          end)
        end]],
    }
    package.loaded.told = function(err, ws) told = { err.message, ws and ws.id, err.traceback } end
    finally(function() package.loaded.told = nil end)
    local app <close> = testing.app(project .. "/routes")
    local ws = app:ws "/ws"
    local id = ws:receive()
    local lines = table.concat(log.capture(function()
      ws:hangup()
      app.clock:advance(120)
    end))
    assert.matches("WebSocket session " .. id .. ": ", lines, 1, true)
    assert.matches("half a cleanup", lines, 1, true)
    assert.matches("half a cleanup", told[1])
    assert.equal(id, told[2])
    assert.matches("stack traceback", told[3])

    local response = app:get("/ws", { stream = true })
    assert.equal("begun", response:receive())
    lines = table.concat(log.capture(function() response:hangup() end))
    assert.matches("half a stream", lines)
    assert.equal(0, app.core:stats().tasks)
  end)
end)
