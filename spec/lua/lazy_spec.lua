local lazy = require "sprylua.lazy"

describe("lazy", function()
  local loads

  before_each(function()
    loads = 0
    package.preload["spec.lazy_module"] = function()
      loads = loads + 1
      return { answer = 42, twice = function(n) return 2 * n end }
    end
  end)

  after_each(function()
    package.preload["spec.lazy_module"], package.loaded["spec.lazy_module"] = nil, nil
  end)

  it("loads a module when something of it is first used, and once", function()
    local module = lazy "spec.lazy_module"
    assert.equal(0, loads)
    assert.equal(42, module.answer)
    assert.equal(6, module.twice(3))
    assert.is_nil(module.nothing)
    assert.equal(1, loads)
  end)

  it("keeps what was used", function()
    local module = lazy "spec.lazy_module"
    local twice = module.twice
    assert.equal(twice, rawget(module, "twice"))
  end)

  it("says which module there is not", function()
    local module = lazy "spec.no_such_module"
    assert.error_matches(function() return module.answer end, "module 'spec.no_such_module' not found")
  end)
end)
