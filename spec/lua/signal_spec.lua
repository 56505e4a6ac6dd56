local signal = require "sprylua.signal"
local testing = require "sprylua.testing"
local world = require "sprylua.testing.world"

describe("a signal", function()
  local changed, state, log

  before_each(function()
    world.install()
    changed, state, log = signal.new(), 0, {}
  end)

  -- A coroutine that waits until `state` is `least`, and says how that ended.
  local function waiter(name, least, timeout)
    local thread = coroutine.create(function()
      local done = changed:wait(function() return state >= least end, timeout)
      log[#log + 1] = name .. (done and "" or " timed out")
    end)
    assert(coroutine.resume(thread))
    return thread
  end

  local function set(value)
    state = value
    changed:notify()
  end

  it("wakes who waits, later than the call that gave it", function()
    waiter("a", 1)
    set(1)
    assert.same({}, log)
    world.advance(0)
    assert.same({ "a" }, log)
  end)

  it("does not make anybody wait for what is so already", function()
    state = 1
    waiter("a", 1)
    assert.same({ "a" }, log)
  end)

  it("lets those wait on who wait for something else, and wakes once for many notices", function()
    waiter("a", 1)
    waiter("b", 3)
    set(1)
    set(2)
    world.advance(0)
    assert.same({ "a" }, log)
    set(3)
    world.advance(0)
    assert.same({ "a", "b" }, log)
  end)

  it("costs nothing when nobody waits", function()
    local before = world.clock:pending()
    changed:notify()
    assert.equal(before, world.clock:pending())
  end)

  it("gives up after the timeout, and not before", function()
    waiter("a", 1, 10)
    world.advance(9)
    set(0)
    world.advance(0.5)
    assert.same({}, log)
    world.advance(0.5)
    assert.same({ "a timed out" }, log)
    assert.is_nil(next(changed.waiting))
  end)

  it("leaves no timer behind when it was not needed", function()
    local before = world.clock:pending()
    waiter("a", 1, 10)
    set(1)
    world.advance(0)
    assert.same({ "a" }, log)
    assert.equal(before, world.clock:pending())
  end)

  it("is not fooled by a stray resume", function()
    local thread = waiter("a", 1)
    assert(coroutine.resume(thread))
    assert.same({}, log)
    set(1)
    world.advance(0)
    assert.same({ "a" }, log)
  end)

  it("forgets a coroutine that is closed while it waits, also by one that is woken beside it", function()
    local threads = {}
    local function closer(name, other)
      threads[name] = coroutine.create(function()
        changed:wait(function() return state >= 1 end)
        log[#log + 1] = name
        if coroutine.status(threads[other]) == "suspended" then coroutine.close(threads[other]) end
      end)
      assert(coroutine.resume(threads[name]))
    end
    closer("a", "b")
    closer("b", "a")
    set(1)
    world.advance(0)
    assert.equal(1, #log)
    assert.is_nil(next(changed.waiting))
  end)

  it("does not wake somebody who has gone on to wait elsewhere", function()
    local strays = 0
    local function both(name, other)
      return coroutine.create(function()
        changed:wait(function() return state >= 1 end)
        log[#log + 1] = name
        other()
        coroutine.yield()
        strays = strays + 1
      end)
    end
    local a, b
    a = both("a", function() coroutine.resume(b) end)
    b = both("b", function() coroutine.resume(a) end)
    coroutine.resume(a)
    coroutine.resume(b)
    set(1)
    world.advance(0)
    assert.equal(2, #log)
    assert.equal(0, strays)
  end)

  it("can be waited for again by who was woken", function()
    testing.run(function()
      local n = 0
      local thread = coroutine.create(function()
        while true do
          changed:wait(function() return state > n end)
          n = state
          log[#log + 1] = n
        end
      end)
      coroutine.resume(thread)
      for i = 1, 3 do
        set(i)
        world.advance(0)
      end
      coroutine.close(thread)
    end)
    assert.same({ 1, 2, 3 }, log)
  end)
end)
