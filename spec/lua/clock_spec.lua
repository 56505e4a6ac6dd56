local clock = require "sprylua.clock"

describe("the manual clock", function()
  local manual, fired
  local function note(name)
    return function() fired[#fired + 1] = name .. "@" .. manual.now() end
  end

  before_each(function()
    manual, fired = clock.manual(), {}
  end)

  it("stands still until it is advanced", function()
    manual.after(1, note "a")
    assert.equal(0, manual.now())
    manual:advance(0.5)
    assert.same({}, fired)
    manual:advance(0.5)
    assert.same({ "a@1" }, fired)
    assert.equal(0, manual:pending())
  end)

  it("fires in order of time, and in order of making at one time", function()
    manual.after(3, note "c")
    manual.after(1, note "a")
    manual.after(2, note "b")
    manual.after(2, note "b2")
    manual:advance(10)
    assert.same({ "a@1", "b@2", "b2@2", "c@3" }, fired)
    assert.equal(10, manual.now())
  end)

  it("fires timers that are made while it fires", function()
    manual.after(1, function()
      manual.after(1, note "inner")
      manual.after(100, note "late")
    end)
    manual:advance(5)
    assert.same({ "inner@2" }, fired)
    assert.equal(96, manual:next())
  end)

  it("ends a loop of timers without delay", function()
    local n = 0
    local function again()
      n = n + 1
      manual.after(0, again)
    end
    again()
    manual:advance(0.01)
    assert.is_true(n > 1000)
  end)

  it("does not fire a cancelled timer", function()
    local timer = manual.after(1, note "a")
    local other
    manual.after(0.5, function() other:cancel() end)
    other = manual.after(1, note "b")
    timer:cancel()
    timer:cancel()
    do
      local _ <close> = manual.after(1, note "c")
    end
    manual:advance(2)
    assert.same({}, fired)
  end)

  it("cannot be advanced from a timer, and survives the attempt", function()
    manual.after(1, function() manual:advance(1) end)
    assert.error_matches(function() manual:advance(2) end, "advanced already")
    manual.after(1, note "a")
    manual:advance(2)
    assert.equal(1, #fired)
  end)
end)

describe("the process's clock", function()
  it("can be replaced, and put back", function()
    local manual = clock.manual(100)
    local before = clock.use(manual)
    finally(function() clock.use(before) end)
    assert.equal(100, clock.now())
    local called = 0
    clock.after(1, function() called = called + 1 end)
    manual:advance(1)
    assert.equal(1, called)
    assert.equal(manual, clock.use(before))
  end)

  it("refuses what is no time or no function, at the caller's line", function()
    -- pcall, since luassert's own matchers cut the position off.
    for _, bad in ipairs { -1, 0 / 0, math.huge, "1", false } do
      local _, message = pcall(function() clock.after(bad, print) end)
      assert.matches("clock_spec.lua:%d+: a number of seconds", message)
    end
    local _, message = pcall(function() clock.after(1, nil) end)
    assert.matches("clock_spec.lua:%d+: a function to call", message)
  end)

  it("is made of luv timers when nobody replaced it", function()
    local before = clock.use(nil)
    finally(function() clock.use(before) end)
    local uv = require "luv"
    local started, fired, cancelled = clock.now(), nil, false
    clock.after(0.02, function() fired = clock.now() end)
    local timer = clock.after(0.01, function() cancelled = true end)
    timer:cancel()
    clock.after(1e300, function() cancelled = true end):cancel()
    uv.run "default" -- ends by itself: a timer that fired or was cancelled keeps no loop alive
    assert.is_true(fired - started >= 0.019)
    assert.is_false(cancelled)
  end)
end)
