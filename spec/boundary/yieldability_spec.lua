-- Yieldability is checked before a waiter is registered (rule 8): a wait that fails leaves nothing behind.
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

-- Ways to get a C function that cannot be yielded across between the coroutine and the wait.
local crossings = {
  ["table.sort"] = function(wait)
    table.sort({ 1, 2, 3 }, function()
      wait()
      return false
    end)
  end,
  ["string.gsub"] = function(wait) string.gsub("a", "a", wait) end,
  ["load"] = function(wait) load(wait) end,
}

for name, cross in pairs(crossings) do
  describe("a wait inside " .. name, function()
    it("raises a sentence, and the session can wait properly after that", function()
      local message
      local app <close> = sessions.app(function(ws)
        cross(function()
          local ok, problem = pcall(ws.receive, ws)
          message = not ok and problem or "no error"
        end)
        local _, data = ws:receive()
        ws:sendText("got " .. data)
      end)
      local ws = app:ws "/ws"
      assert.matches("coroutine", message)
      ws:sendText "it"
      assert.equal("got it", ws:receive())
    end)

    it("raises in a handler that reads its body, which can be read after that", function()
      local app <close> = temp_routes.app {
        ["index.lua"] = function(event)
          local failed
          cross(function() failed = failed or not pcall(event.request.chunks(event.request)) end)
          return tostring(failed)
        end,
      }
      local connection = app:connect()
      connection:send "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
      connection:send "abc"
      assert.equal(200, connection:answer().status)
    end)

    it("raises for spry.sleep", function()
      local message
      spry.spawn(function()
        cross(function()
          local ok, problem = pcall(spry.sleep, 1)
          message = not ok and problem
        end)
      end)
      assert.matches("spry.spawn%(function", message)
    end)
  end)
end
