-- A C function that Lua called never resumes anybody: it marks, and the loop goes on (rules 11, 12).
local core = require "sprylua.core"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("sending from a handler", function()
  it("runs nobody else's Lua before the handler goes on", function()
    local order, kept = {}, {}
    local app <close> = sessions.app(function(ws)
      kept[#kept + 1] = ws
      local me = #kept
      for kind in ws.events do
        order[#order + 1] = me .. " " .. kind
        if me == 1 and kind == "text" then
          kept[2]:close(4000)
          order[#order + 1] = "1 goes on"
        end
      end
    end)
    local first = app:ws "/ws"
    local second = app:ws "/ws"
    first:sendText "close the other"
    assert.equal(4000, select(3, second:receive()))
    assert.same({ "1 text", "1 goes on", "2 close" }, order)
  end)

  it("to itself, hundreds deep, does not grow the C stack", function()
    local app
    app = temp_routes.app {
      ["[n].lua"] = function(event)
        local n = event.params:int "n"
        if n == 0 then return "bottom" end
        local peer = core.connect(app.core)
        peer:feed(("GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(n - 1))
        local answer = ""
        repeat
          spry.sleep(0.001)
          answer = answer .. peer:take()
        until answer:find("\r\n\r\n.+$")
        peer:hangup()
        return answer:match "\r\n\r\n(.*)$"
      end,
    }
    assert.equal("bottom", app:get("/300").body)
    app:close()
  end)

  it("closing its own connection in an event does not pull it from under the handler", function()
    local went
    local app
    local client
    app = sessions.app(function(ws)
      for kind in ws.events do
        if kind == "text" then
          ws:close(4000)
          client.connection.peer:hangup()
          went = { ws:sendText "x" }
          collectgarbage()
        end
      end
      went[3] = ws.closed
    end)
    client = app:ws "/ws"
    client:sendText "go"
    assert.same({ nil, "closed", true }, { went[1], went[2], went[3] })
    app:close()
  end)
end)
