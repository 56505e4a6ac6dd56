-- A state that is closed while requests and sessions wait: whoever calls back afterwards finds nobody to resume. In an
-- interpreter of its own, since it ends.
local temp_routes = require "spec.support.temp_routes"

local SCRIPT = [[
  local testing = require "sprylua.testing"
  local app = testing.app "%s/routes"
  local file = app:get("/large.bin", { stream = true })
  local stream = app:get("/stream", { stream = true })
  local ws = app:ws "/ws"
  kept = { app, file, stream, ws } -- a global: alive to the end
  print(file.status, stream.status, ws:receive())
]]

describe("a state that is closed in the middle", function()
  it("ends well", function()
    local folder = temp_routes.project {
      ["public/large.bin"] = ("x"):rep(200000),
      ["routes/stream.lua"] = [[
        local spry = require "sprylua"
        return function()
          return spry.Response.stream(function(write)
            local _ <close> = spry.defer(function() print "closed" end)
            write "a"
            spry.sleep(10)
          end)
        end]],
      ["routes/ws.lua"] = [[
        return function(event)
          return event.ws:upgrade(function(ws)
            ws:sendText "hello"
            ws.events:drain()
          end)
        end]],
      ["script.lua"] = "",
    }
    local script = assert(io.open(folder .. "/script.lua", "w"))
    script:write(SCRIPT:format(folder))
    script:close()
    local pipe = assert(io.popen("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/?.so;;' lua5.4 "
      .. folder .. "/script.lua 2>&1"))
    local output = pipe:read "a"
    local ended = { pipe:close() }
    assert.same({ true, "exit", 0 }, ended, output)
    assert.equal("200\t200\thello\ttext\nclosed\n", output)
  end)
end)
