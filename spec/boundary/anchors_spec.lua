-- A live thing is anchored by exactly one named reference (rule 5): GC collects nothing that a connection will call,
-- and everything else.
local core = require "sprylua.core"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

describe("the garbage collector", function()
  it("leaves alone what waits", function()
    local app <close> = sessions.app(function(ws)
      for kind, data in ws.events do
        if kind == "text" then ws:sendText(data:upper()) end
      end
    end)
    local clients = {}
    for i = 1, 50 do clients[i] = app:ws "/ws" end
    for _ = 1, 3 do
      collectgarbage()
      for i = 1, 50 do
        clients[i]:sendText "abc"
        assert.equal("ABC", clients[i]:receive())
      end
    end
  end)

  it("may run at every step", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        collectgarbage()
        local text = event.request:text()
        collectgarbage()
        event.cookies:set("a", "b")
        return { text = text, q = event.query:get "q", id = event.id }
      end,
      ["ws.get.lua"] = function(event)
        collectgarbage()
        return event.ws:upgrade(function(ws)
          collectgarbage()
          ws:sendText "x"
          ws:receive()
          collectgarbage()
        end)
      end,
    }
    local pause = collectgarbage("setpause", 100)
    local mul = collectgarbage("setstepmul", 1000)
    for _ = 1, 10 do
      assert.equal("body", app:post("/?q=1", { body = "body" }):json().text)
      local ws = app:ws "/ws"
      assert.equal("x", ws:receive())
      ws:sendText "y"
      ws:receive()
    end
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", mul)
  end)

  it("takes what is over", function()
    local weak = setmetatable({}, { __mode = "k" })
    local function once()
      local kept <close> = temp_routes.app {
        ["index.lua"] = function(event)
          weak[event] = true
          weak[coroutine.running()] = true
          spry.sleep(1)
          return "x"
        end,
      }
      kept:get "/"
    end
    for _ = 1, 5 do once() end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
    assert.equal(0, core.stats().connections)
  end)

  it("keeps up with requests, because an event has no finalizer", function()
    local app <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    local peer = core.connect(app.core)
    local many = ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):rep(100)
    collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 300 do
      peer:feed(many)
      peer:take()
    end
    assert.is_true(collectgarbage "count" < 2 * before + 1024)
    peer:hangup()
  end)

  it("does not take an app that has a connection", function()
    local peer
    do
      local routes = temp_routes.routes { ["index.lua"] = function()
        spry.sleep(5)
        return "still here"
      end }
      local app = testing.app(routes)
      peer = core.connect(app.core)
      peer:feed "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    end
    collectgarbage()
    collectgarbage()
    local other <close> = sessions.app(sessions.echo())
    other.clock:advance(6)
    peer:feed ""
    assert.matches("still here$", peer:take())
    peer:hangup()
  end)

  it("takes an app, a peer and a router that were never used", function()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 20 do
      local app = temp_routes.app { ["index.lua"] = function() return "x" end }
      weak[core.connect(app.core)] = true
      collectgarbage()
      app.core:settle() -- a finalizer must not run handlers: the connection goes when the app settles
      weak[app.core], weak[app] = true, true
      app = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
    assert.equal(0, core.stats().connections)
  end)
end)
