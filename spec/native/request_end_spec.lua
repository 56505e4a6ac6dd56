-- core.request.atEnd: functions that are called when a request is over, however it ends.
local core = require "sprylua.core"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("at the end of a request", function()
  local seen
  before_each(function() seen = {} end)

  local function note(event, what)
    core.request.atEnd(event, function() seen[#seen + 1] = what end)
  end

  local app
  setup(function()
    app = temp_routes.app({
      ["plain.lua"] = function(event)
        note(event, "a")
        note(event, "b")
        return "ok"
      end,
      ["raising.lua"] = function(event)
        note(event, "a")
        error "boom"
      end,
      ["stream.lua"] = function(event)
        note(event, "a")
        return spry.Response.stream(function(write)
          write "x"
          spry.sleep(10)
        end)
      end,
      ["endless.lua"] = function(event)
        note(event, "a")
        spry.sleep(1e6)
      end,
      ["nasty.lua"] = function(event)
        note(event, "a")
        core.request.atEnd(event, function() error "in the end" end)
        core.request.atEnd(event, function() error(nil) end)
        core.request.atEnd(event, function() spry.sleep(1) end)
        note(event, "b")
        return "ok"
      end,
    }, { config = { limits = { requestTimeout = 5 } } })
  end)
  teardown(function() app:close() end)

  it("they are called, the last one first", function()
    assert.equal("ok", app:get("/plain").body)
    assert.same({ "b", "a" }, seen)
  end)

  it("they are called when the handler raised", function()
    assert.equal(500, app:get("/raising").status)
    assert.same({ "a" }, seen)
  end)

  it("they are called when a stream has ended, or its client has gone", function()
    app:get("/stream", { stream = true })
    assert.same({}, seen)
    app.clock:advance(10)
    assert.same({ "a" }, seen)
    app:get("/stream", { stream = true }):hangup()
    assert.same({ "a", "a" }, seen)
  end)

  it("they are called when the handler is given up", function()
    assert.equal(503, app:get("/endless").status)
    assert.same({ "a" }, seen)
  end)

  it("one that raises, or wants to wait, is logged and keeps nobody from his turn", function()
    assert.equal("ok", app:get("/nasty").body)
    assert.same({ "b", "a" }, seen)
    local log = table.concat(app.log, "\n")
    assert.matches("in the end", log)
    assert.matches("error%(nil%)", log)
  end)

  it("nothing is called for a request that is over", function()
    local kept
    local other <close> = temp_routes.app { ["index.lua"] = function(event) kept = event return "ok" end }
    other:get "/"
    assert.has_error(function() note(kept, "late") end)
  end)
end)
