local clock = require "sprylua.clock"
local spry = require "sprylua"

describe("spry.shared", function()
  local count = 0
  local manual, before

  local function fresh()
    count = count + 1
    return spry.shared("spec " .. count)
  end

  before_each(function()
    manual = clock.manual()
    before = clock.use(manual)
  end)

  after_each(function() clock.use(before) end)

  it("keeps strings, numbers and booleans as they are", function()
    local t = fresh()
    assert.is_nil(t:get "a")
    local values = { "", "text", "\0\xff", 0, -7, math.maxinteger, math.mininteger, 0.1, 1e300, 2.0, true, false }
    for _, value in ipairs(values) do
      t:set("a", value)
      assert.equal(value, t:get "a")
      assert.equal(math.type(value), math.type(t:get "a"))
    end
    t:set("a", nil)
    assert.is_nil(t:get "a")
  end)

  it("is the same for everybody who knows its name, and another under another name", function()
    local t = fresh()
    t:set("a", 1)
    assert.equal(1, spry.shared(t.name):get "a")
    assert.is_nil(fresh():get "a")
  end)

  it("counts", function()
    local t = fresh()
    assert.equal(1, t:incr "n")
    assert.equal(5, t:incr("n", 4))
    assert.equal(4, t:incr("n", -1))
    assert.equal(4.5, t:incr("n", 0.5))
    t:set("s", "text")
    local ok, problem = pcall(t.incr, t, "s")
    assert.is_false(ok)
    assert.matches("the value of s is no number", problem)
    assert.equal("text", t:get "s")
  end)

  it("never wraps around", function()
    local t = fresh()
    for _, case in ipairs { { math.maxinteger, 1 }, { math.mininteger, -1 }, { 1.7e308, 1.7e308 } } do
      t:set("n", case[1])
      local ok, problem = pcall(t.incr, t, "n", case[2])
      assert.is_false(ok)
      assert.matches("shared:incr: the sum is too large", problem)
      assert.equal(case[1], t:get "n")
    end
    assert.equal(0, t:incr("m", math.mininteger) - math.mininteger)
    assert.equal(-1, t:incr("m", math.maxinteger))
  end)

  it("compares and sets", function()
    local t = fresh()
    assert.is_true(t:cas("lock", nil, "ann"))
    assert.is_false(t:cas("lock", nil, "ben"))
    assert.is_false(t:cas("lock", "ben", nil))
    assert.equal("ann", t:get "lock")
    assert.is_true(t:cas("lock", "ann", nil))
    assert.is_nil(t:get "lock")
    t:set("n", 1)
    assert.is_false(t:cas("n", "1", 2))
    assert.is_true(t:cas("n", 1.0, 2))
    assert.is_true(t:cas("n", 2, 3))
  end)

  it("forgets what has lived its time", function()
    local t = fresh()
    t:set("a", 1, { ttl = 10 })
    assert.equal(1, t:incr("hits", 1, { ttl = 5 }))
    assert.is_true(t:cas("lock", nil, true, { ttl = 5 }))
    manual:advance(4)
    assert.equal(2, t:incr("hits", 1, { ttl = 5 }))
    manual:advance(2)
    assert.equal(1, t:incr("hits", 1, { ttl = 5 }))
    assert.is_nil(t:get "lock")
    assert.equal(1, t:get "a")
    assert.is_true(t:expire("a", 1))
    manual:advance(2)
    assert.is_nil(t:get "a")
    assert.is_false(t:expire("a", 1))
    t:set("b", 1, { ttl = 1 })
    assert.is_true(t:expire "b")
    manual:advance(100)
    assert.equal(1, t:get "b")
    t:set("b", 2, { ttl = 1 })
    t:set("b", 3)
    manual:advance(100)
    assert.equal(3, t:get "b")
  end)

  it("says what is wrong", function()
    local t = fresh()
    local function problem(fn, ...)
      local ok, message = pcall(fn, ...)
      assert.is_false(ok)
      return message
    end
    assert.matches("shared:get takes a key, a string, not a nil", problem(t.get, t))
    assert.matches("with a colon", problem(t.get, "key"))
    assert.matches("shared:set takes a string, a number or a boolean, not a table", problem(t.set, t, "a", {}))
    for _, number in ipairs { 1 / 0, -1 / 0, 0 / 0 } do
      assert.matches("shared:set takes a finite number", problem(t.set, t, "a", number))
      assert.matches("shared:incr takes a finite number", problem(t.incr, t, "a", number))
    end
    assert.matches("more than 0", problem(t.set, t, "a", 1, { ttl = 0 }))
    assert.matches("no option tll", problem(t.set, t, "a", 1, { tll = 1 }))
    assert.matches("adds a number", problem(t.incr, t, "a", "1"))
    assert.matches("shared_spec%.lua:%d+: .*more than 0", problem(function() t:set("a", 1, { ttl = 0 }) end))
    assert.matches("shared_spec%.lua:%d+: .*more than 0", problem(function() t:expire("a", 0) end))
    assert.matches("takes a name", problem(spry.shared, ""))
    assert.matches("takes a name", problem(spry.shared))
  end)
end)
