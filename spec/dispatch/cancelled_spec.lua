-- Whoever makes a response that nobody reads any more is cancelled where he waits: his `<close>` variables run.
local core = require "sprylua.core"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local REQUEST = "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"

describe("a producer whose client has gone", function()
  local seen

  before_each(function() seen = {} end)

  local function note(what)
    return function(err) seen[#seen + 1] = what .. (err and ": " .. tostring(err) or "") end
  end

  local files = {
    ["sleeping.lua"] = function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(note "closed")
        write "a"
        spry.sleep(3600)
        seen[#seen + 1] = "woke"
      end)
    end,
    ["napping.lua"] = function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(note "closed")
        for _ = 1, 3 do
          spry.sleep(50)
          write "a"
        end
        seen[#seen + 1] = "done"
      end)
    end,
    ["writing.lua"] = function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(note "closed")
        local ok, problem = write(("x"):rep(1 << 20)) -- waits: nobody has taken it
        seen[#seen + 1] = tostring(ok) .. " " .. problem
      end)
    end,
    ["stubborn.lua"] = function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(note "closed")
        while true do
          write(("x"):rep(1 << 20))
          spry.sleep(1)
        end
      end)
    end,
    ["events.lua"] = function()
      return spry.Response.events(function(send)
        local _ <close> = spry.defer(note "closed")
        send "a"
        spry.sleep(3600)
      end)
    end,
    ["late.lua"] = function()
      local _ <close> = spry.defer(note "handler closed")
      spry.sleep(10)
      seen[#seen + 1] = "handler done"
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(note "closed")
        seen[#seen + 1] = tostring(write "a")
        spry.sleep(10)
      end)
    end,
    ["raising.lua"] = function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(function() error "in close" end)
        write "a"
        spry.sleep(3600)
      end)
    end,
    ["_middleware.lua"] = function(_, next)
      local _ <close> = spry.defer(note "middleware closed")
      return next()
    end,
  }

  local function opened(app, path)
    local connection = app:connect()
    connection:send(REQUEST:format(path))
    return connection
  end

  it("is closed in a sleep, long after its middleware has ended", function()
    local app <close> = temp_routes.app(files)
    local connection = opened(app, "sleeping")
    assert.matches("\r\na\r\n$", connection:take())
    assert.same({ "middleware closed" }, seen)
    connection:hangup()
    assert.same({ "middleware closed", "closed" }, seen)
    assert.equal(0, core.stats().tasks)
    app.clock:advance(7200)
    assert.same({ "middleware closed", "closed" }, seen)
  end)

  it("hears of it where it writes, and may end by itself", function()
    local app <close> = temp_routes.app(files)
    local connection = app:connect()
    connection:stall()
    connection:send(REQUEST:format "writing")
    connection:hangup()
    assert.same({ "middleware closed", "nil closed", "closed" }, seen)
  end)

  it("is cancelled at its next wait when it does not listen", function()
    local app <close> = temp_routes.app(files)
    opened(app, "stubborn"):hangup()
    assert.same({ "middleware closed", "closed" }, seen)
    assert.equal(0, core.stats().tasks)
  end)

  it("is cancelled by the peer's FIN when it makes events", function()
    local app <close> = temp_routes.app(files)
    local connection = opened(app, "events")
    connection:finish()
    assert.same({ "middleware closed", "closed" }, seen)
    connection:hangup()
  end)

  it("is not cancelled by a FIN when it makes a stream: there may be a reader still", function()
    local app <close> = temp_routes.app(files)
    local connection = opened(app, "napping")
    connection:finish()
    for _ = 1, 151 do app.clock:advance(1) end
    assert.same({ "middleware closed", "done", "closed" }, seen)
    assert.matches("\r\na\r\n0\r\n\r\n$", connection:take())
    connection:hangup()
  end)

  it("is cancelled behind a FIN when it says nothing for limits.idleTimeout", function()
    local app <close> = temp_routes.app(files)
    local connection = opened(app, "sleeping")
    connection:finish()
    for _ = 1, 59 do app.clock:advance(1) end
    assert.same({ "middleware closed" }, seen)
    for _ = 1, 62 do app.clock:advance(1) end -- the second minute is the first without a word
    assert.same({ "middleware closed", "closed" }, seen)
    assert.equal(0, core.stats().connections)
    connection:hangup()
  end)

  it("is a handler that goes on until it has an answer", function()
    local app <close> = temp_routes.app(files)
    opened(app, "late"):hangup()
    assert.same({}, seen)
    app.clock:advance(10)
    assert.same({ "handler done", "handler closed", "middleware closed", "nil", "closed" }, seen)
    assert.equal(0, core.stats().tasks)
  end)

  it("leaves nothing behind when its `<close>` raises", function()
    local app <close> = temp_routes.app(files)
    opened(app, "raising"):hangup()
    assert.equal(0, core.stats().tasks)
    assert.equal(200, app:get("/sleeping", { stream = true }).status)
  end)
end)

describe("server-sent events", function()
  it("are kept alive by comments while there is nothing to say", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        return spry.Response.events(function(send)
          send { comment = "hello\nthere" }
          spry.sleep(20)
          send "late"
          spry.sleep(40)
        end)
      end,
    }
    local res = app:get("/", { stream = true })
    assert.equal(": hello\n: there\n\n", res:receive())
    app.clock:advance(15)
    assert.equal(":\n\n", res:receive())
    app.clock:advance(5)
    assert.equal("data: late\n\n", res:receive())
    app.clock:advance(40) -- to the end, with two more
    local rest = {}
    for chunk in res.receive, res do
      rest[#rest + 1] = chunk
    end
    assert.same({ ":\n\n:\n\n" }, rest)
  end)
end)
