local clock = require "sprylua.clock"
local counters = require "sprylua.middleware.counters"

describe("counters", function()
  local manual, before

  before_each(function()
    manual = clock.manual(1000)
    before = clock.use(manual)
  end)

  after_each(function()
    clock.use(before)
  end)

  local function size(counts)
    local n = 0
    for _, generation in ipairs { counts.young, counts.old } do
      for _ in pairs(generation) do n = n + 1 end
    end
    return n
  end

  it("count each key for itself, in a window that begins with its first", function()
    local counts = counters.new(10, 100)
    assert.same({ 1, 10 }, { counts:add "a" })
    manual:advance(4)
    assert.same({ 2, 6 }, { counts:add "a" })
    assert.same({ 1, 10 }, { counts:add "b" })
    manual:advance(6)
    assert.same({ 1, 10 }, { counts:add "a" })
    assert.same({ 2, 4 }, { counts:add "b" })
  end)

  it("keep a count while the generations change", function()
    local counts = counters.new(10, 100)
    manual:advance(9)
    counts:add "a"
    for second = 1, 9 do
      manual:advance(1)
      assert.same({ second + 1, 10 - second }, { counts:add "a" })
    end
    manual:advance(1)
    assert.same({ 1, 10 }, { counts:add "a" })
  end)

  it("forget what is over", function()
    local counts = counters.new(10, 100)
    for i = 1, 40 do counts:add(i) end
    manual:advance(10)
    counts:add "x"
    manual:advance(10)
    counts:add "x"
    assert.equal(1, size(counts))
  end)

  it("never remember more keys than they may", function()
    for _, most in ipairs { 2, 3, 10 } do
      local counts = counters.new(10, most)
      for i = 1, 1000 do
        counts:add(i % 7 == 0 and "often" or i)
        assert.is_true(size(counts) <= most)
      end
    end
  end)

  it("remember who comes often, whoever else comes", function()
    local counts = counters.new(10, 10)
    local count
    for i = 1, 400 do
      count = counts:add(i % 4 == 0 and "often" or i)
    end
    assert.equal(100, count)
  end)
end)
