local nearest = require "sprylua.nearest"

describe("nearest", function()
  local names = { "port", "host", "limits", "requestTimeout" }

  it("finds a name with a letter too many, too few, wrong, or swapped", function()
    assert.equal("port", nearest.find("porte", names))
    assert.equal("port", nearest.find("prt", names))
    assert.equal("port", nearest.find("bort", names))
    assert.equal("port", nearest.find("prot", names))
  end)

  it("forgives more in a longer name, and upper case", function()
    assert.equal("requestTimeout", nearest.find("request_timout", names))
    assert.equal("limits", nearest.find("LIMITS", names))
  end)

  it("finds nothing when nothing is near", function()
    assert.is_nil(nearest.find("x", names))
    assert.is_nil(nearest.find("", names))
    assert.is_nil(nearest.find(("port"):rep(1000), names))
  end)

  it("makes a hint for a message", function()
    assert.equal(" (did you mean host?)", nearest.hint("hots", names))
    assert.equal("", nearest.hint("zzzz", names))
  end)
end)
