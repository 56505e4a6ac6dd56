local cache = require "sprylua.cache"

describe("cache", function()
  it("keeps values by key", function()
    local c = cache.new(100)
    assert.is_nil(c:get "a")
    c:put("a", 1, 10)
    c:put("b", 2, 10)
    assert.equal(1, c:get "a")
    assert.equal(2, c:get "b")
    c:put("a", 3, 10)
    assert.equal(3, c:get "a")
    c:drop "a"
    c:drop "never"
    assert.is_nil(c:get "a")
    assert.equal(2, c:get "b")
  end)

  it("drops what has not been asked for", function()
    local c = cache.new(100)
    c:put("used", 1, 10)
    c:put("unused", 1, 10)
    for i = 1, 100 do
      c:put(i, i, 10)
      assert.equal(1, c:get "used")
    end
    assert.is_nil(c:get "unused")
    assert.equal(100, c:get(100))
  end)

  it("never holds more than its limit", function()
    local c = cache.new(100)
    for i = 1, 1000 do
      c:put(i % 37, i, i % 29)
      c:get((i * 7) % 37)
      local total = 0
      for _, generation in ipairs { c.young, c.old } do
        for _, entry in pairs(generation) do
          total = total + entry.cost
        end
      end
      assert.is_true(total <= 100)
    end
  end)

  it("does not keep what is too dear, nor what that was in the place of", function()
    local c = cache.new(100)
    c:put("a", 1, 10)
    c:put("a", 2, 51)
    assert.is_nil(c:get "a")
    c:put("a", 3, 50)
    assert.equal(3, c:get "a")
  end)
end)
