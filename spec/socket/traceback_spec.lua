-- What an error of a deep stack costs: its traceback shows the innermost levels, and looks no further.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local routes = {
  ["routes/endless.get.lua"] = [[
    local function down(n)
      return 1 + down(n + 1)
    end
    return function() return down(1) end]],
  ["routes/caught.get.lua"] = [[
    local function down(n)
      if n == 0 then error "the bottom" end
      return 1 + down(n - 1)
    end
    return function(event)
      return select(2, xpcall(down, debug.traceback, tonumber(event.path:match "%d+")))
    end]],
}

describe("the traceback of a deep stack", function()
  local running

  before_each(function()
    running = server.serve(temp_routes.project(routes) .. "/routes", { arguments = { "--log", "none" } })
  end)

  after_each(function() running:cleanup() end)

  local function levels_of(text)
    return select(2, text:gsub("\n\t[^\n]*:%d+: in ", ""))
  end

  it("is bounded in the log of an endless recursion", function()
    local _, status = running:get "/endless"
    assert.equal(500, status)
    server.wait(function() return running:err():find("(more than 1000 levels)", 1, true) end, "a traceback")
    assert.matches("%.lua:2: stack overflow\nstack traceback:\n\t[^\n]+:2: in upvalue 'down'\n", running:err())
    assert.equal(20, levels_of(running:err()))
    server.stop(running)
  end)

  it("is bounded for debug.traceback too, with the message before it", function()
    local text = running:get "/caught?levels=5000"
    assert.matches("^[^\n]*caught%.get%.lua:2: the bottom\nstack traceback:\n\t%[C%]: in global 'error'\n", text)
    assert.matches("\n\t%.%.%.\t%(more than 1000 levels%)$", text)
    assert.equal(19, levels_of(text)) -- and error itself
    server.stop(running)
  end)

  it("is Lua's own as far as that is cheap", function()
    local text = running:get "/caught?levels=900"
    assert.matches("\n\t%.%.%.\t%(skipping %d+ levels%)\n.*in function 'xpcall'", text)
    server.stop(running)
  end)
end)
