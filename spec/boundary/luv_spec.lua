-- Any luv-based library may resume a handler: the answer is written from inside (rule 6).
local sessions = require "spec.support.sessions"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local function nap(milliseconds)
  local thread, timer = coroutine.running(), uv.new_timer()
  timer:start(milliseconds, 0, function()
    timer:close()
    assert(coroutine.resume(thread, "from luv"))
  end)
  return coroutine.yield()
end

describe("a handler that luv resumes", function()
  it("answers", function()
    local app <close> = temp_routes.app { ["index.lua"] = function() return nap(5) .. " and " .. nap(5) end }
    assert.equal("from luv and from luv", app:get("/").body)
  end)

  it("may raise after that: a 500 with the traceback in the log", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        nap(5)
        error "after luv"
      end,
    }
    assert.equal(500, app:get("/").status)
    local log = table.concat(app.log, "\n")
    assert.matches("after luv", log)
    assert.matches("luv_spec.lua", log)
  end)

  it("may read a file without blocking", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local thread = coroutine.running()
        uv.fs_stat("/", function(_, stat) assert(coroutine.resume(thread, stat.type)) end)
        return coroutine.yield()
      end,
    }
    assert.equal("directory", app:get("/").body)
  end)

  it("does not hold up pipelined requests of others", function()
    local app <close> = temp_routes.app {
      ["slow.lua"] = function() return nap(10) end,
      ["fast.lua"] = function() return "fast" end,
    }
    local slow, fast = app:connect(), app:connect()
    slow:send "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\nGET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n"
    fast:send "GET /fast HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert.equal("fast", fast:answer().body)
    assert.equal("from luv", slow:answer().body)
    assert.equal("fast", slow:answer().body)
  end)
end)

describe("a session that luv resumes", function()
  it("is not woken by messages meanwhile, and has them after", function()
    local app <close> = sessions.app(function(ws)
      ws:sendText(nap(5))
      local _, data = ws:receive()
      ws:sendText("then " .. data)
    end)
    local ws = app:ws "/ws"
    ws:sendText "queued"
    assert.equal("from luv", ws:receive())
    assert.equal("then queued", ws:receive())
  end)

  it("may be sent to from a bare luv callback", function()
    local app <close> = sessions.app(function(ws)
      local timer = uv.new_timer()
      timer:start(5, 0, function()
        timer:close()
        ws:sendText "from a callback"
      end)
      ws.events:drain()
    end)
    assert.equal("from a callback", app:ws("/ws"):receive())
  end)
end)
