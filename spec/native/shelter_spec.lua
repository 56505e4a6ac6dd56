local core = require "sprylua.core"

describe("core.sheltered", function()
  it("gives what the function returns", function()
    assert.same({ 1, "two", n = 2 }, table.pack(core.sheltered(function(...) return ... end, 1, "two")))
    assert.equal(0, select("#", core.sheltered(function() end)))
    assert.equal("inner", core.sheltered(core.sheltered, function() return "inner" end))
  end)

  it("raises what the function raises, and can be used again", function()
    local problem = {}
    local ok, raised = pcall(core.sheltered, function() error(problem) end)
    assert.is_false(ok)
    assert.equal(problem, raised)
    assert.equal(7, core.sheltered(function() return 7 end))
  end)

  it("takes a function that does not wait", function()
    assert.error_matches(function() core.sheltered() end, "function expected")
    local waits = coroutine.wrap(function() return pcall(core.sheltered, coroutine.yield) end)
    assert.is_false((waits()))
  end)
end)
