-- A wait is a condition, not a message: a stray coroutine.resume finds it unmet and waits again (rule 7).
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("a stray resume", function()
  it("does not end ws:receive, and its arguments go nowhere", function()
    local thread, got
    local app <close> = sessions.app(function(ws)
      thread = coroutine.running()
      got = { ws:receive() }
    end)
    local ws = app:ws "/ws"
    for _ = 1, 5 do assert.is_true(coroutine.resume(thread, "text", "forged")) end
    assert.is_nil(got)
    ws:sendText "real"
    assert.same({ "text", "real" }, got)
  end)

  it("does not end ws:receive with a timeout, nor a sleep", function()
    local thread, got
    local app <close> = sessions.app(function(ws)
      thread = coroutine.running()
      local first = { ws:receive(5) }
      spry.sleep(5)
      got = first
    end)
    app:ws "/ws"
    assert.is_true(coroutine.resume(thread))
    app.clock:advance(5.1)
    assert.is_true(coroutine.resume(thread))
    assert.is_nil(got)
    app.clock:advance(5.1)
    assert.same({ nil, "timeout" }, got)
  end)

  it("does not end the reading of a body", function()
    local thread
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        thread = coroutine.running()
        return "got " .. event.request:text()
      end,
    }
    local connection = app:connect()
    connection:send "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc"
    assert.is_true(coroutine.resume(thread, "forged"))
    connection:send "def"
    assert.equal("got abcdef", connection:answer().body)
  end)

  it("to a coroutine that has ended is an ordinary error", function()
    local thread
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        thread = coroutine.running()
        spry.sleep(1)
        return "done"
      end,
    }
    assert.equal("done", app:get("/").body)
    local ok, message = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("dead", message)
    assert.equal("done", app:get("/").body)
  end)
end)

describe("a plain yield", function()
  it("may be resumed by anybody, with values", function()
    local thread
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        thread = coroutine.running()
        return "resumed with " .. coroutine.yield("ignored", "by", "the", "host")
      end,
    }
    local connection = app:connect()
    connection:send "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert.is_true(coroutine.resume(thread, "a value"))
    assert.equal("resumed with a value", connection:answer().body)
  end)

  it("that nobody resumes ends with the request's deadline: 503", function()
    local closed = false
    local app <close> = temp_routes.app({
      ["index.lua"] = function()
        local _ <close> = spry.defer(function() closed = true end)
        coroutine.yield()
      end,
    }, { config = { limits = { requestTimeout = 30 } } })
    local before = app.clock.now()
    local response = app:get "/"
    assert.equal(503, response.status)
    assert.is_true(app.clock.now() - before >= 29.9)
    assert.is_true(closed)
    assert.equal(0, app.core:stats().tasks)
  end)
end)
