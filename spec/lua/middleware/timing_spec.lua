local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("timing", function()
  local function timing_of(handler, path)
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = middleware.timing(),
      ["inner/_middleware.lua"] = middleware.timing(),
      ["inner/index.lua"] = handler,
      ["index.lua"] = handler,
      ["ws.lua"] = function(event)
        return event.ws:upgrade(function() end)
      end,
    }
    if path == "/ws" then
      return assert(app:ws(path)).response.headers:getAll "server-timing"
    end
    local res = app:get(path or "/")
    return res.headers:getAll "server-timing", res, app.log[1]
  end

  it("says how long the answer took", function()
    assert.same({ "total;dur=1500.0" }, (timing_of(function()
      spry.sleep(1.5)
      return "x"
    end)))
  end)

  it("measures functions, and hands on what they return", function()
    local header, res = timing_of(function(event)
      return { event.locals.timing:measure("db", function(a, b)
        spry.sleep(0.25)
        return a + b, "second"
      end, 1, 2) }
    end)
    assert.same({ "db;dur=250.0, total;dur=250.0" }, header)
    assert.same({ 3, "second" }, res:json())
  end)

  it("measures what raises, and lets it through", function()
    local header, res, message = timing_of(function(event)
      event.locals.timing:measure("db", function()
        spry.sleep(1)
        error "broken"
      end)
    end)
    assert.equal(500, res.status)
    assert.same({ "db;dur=1000.0, total;dur=1000.0" }, header)
    assert.matches("broken", message)
  end)

  it("takes values and descriptions, which cannot leave their quotes", function()
    local header = timing_of(function(event)
      local timing = event.locals.timing
      timing:add "miss"
      timing:add("cache", 0.0123, 'say "hi" \\ there')
      timing:add("split", nil, "a\r\nset-cookie: x")
      return "x"
    end)
    assert.same({
      'miss, cache;dur=12.3;desc="say \\"hi\\" \\\\ there", split;desc="a  set-cookie: x", total;dur=0.0',
    }, header)
  end)

  it("refuses a name or a time that does not fit", function()
    for message, call in pairs {
      ['takes letters, digits, %- and _, not "a b"'] = function(timing) timing:add "a b" end,
      ['not "a;dur=1"'] = function(timing) timing:measure("a;dur=1", error, "not reached") end,
      ['not "nil"'] = function(timing) timing:add() end,
      ["takes a number of seconds, not %-?nan"] = function(timing) timing:add("a", 0 / 0) end,
      ["takes a number of seconds, not inf"] = function(timing) timing:add("a", math.huge) end,
      ["takes a number of seconds, not fast"] = function(timing) timing:add("a", "fast") end,
    } do
      local _, res, text = timing_of(function(event)
        call(event.locals.timing)
        return "x"
      end)
      assert.equal(500, res.status)
      assert.matches("timing_spec.lua:%d+: .*" .. message, text)
    end
  end)

  it("is there once, however often it stands on the way", function()
    assert.same({ "total;dur=0.0" }, (timing_of(function() return "x" end, "/inner")))
  end)

  it("adds to what the handler said, and to a 404 and a 101", function()
    assert.same({ "own;dur=1", "total;dur=0.0" }, (timing_of(function()
      return spry.Response("x", { headers = { ["server-timing"] = "own;dur=1" } })
    end)))
    assert.same({ "total;dur=0.0" }, (timing_of(function() end, "/none")))
    assert.same({ "total;dur=0.0" }, (timing_of(function() end, "/ws")))
  end)
end)
