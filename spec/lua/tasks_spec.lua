local clock = require "sprylua.clock"
local log = require "sprylua.log"
local tasks = require "sprylua.tasks"

describe("tasks", function()
  local manual, before, seen

  local function note(what)
    seen[#seen + 1] = what .. "@" .. manual.now()
  end

  before_each(function()
    manual, seen = clock.manual(), {}
    before = clock.use(manual)
  end)

  after_each(function()
    clock.use(before)
    tasks.onError = nil
  end)

  describe("noting", function()
    it("returns what was made, so that it can be ended", function()
      local made, a, b = tasks.noting(function(...)
        tasks.every(1, function() note "every" end)
        tasks.after(1, function() note "after" end)
        tasks.spawn(function()
          tasks.sleep(1)
          note "spawned"
        end)
        return ...
      end, 1, nil)
      tasks.after(1, function() note "other" end)
      assert.equal(1, a)
      assert.is_nil(b)
      assert.equal(3, #made)
      for _, each in ipairs(made) do each:cancel() end
      manual:advance(3)
      assert.same({ "other@1" }, seen)
    end)

    it("ends with an error too, which goes on", function()
      assert.error_matches(function() tasks.noting(error, "boo") end, "boo")
      local made = tasks.noting(function() end)
      tasks.after(1, function() end)
      assert.same({}, made)
    end)
  end)

  describe("sleep", function()
    it("lets the others run", function()
      tasks.spawn(function()
        note "a"
        tasks.sleep(2)
        note "b"
      end)
      note "c"
      manual:advance(5)
      assert.same({ "a@0", "c@0", "b@2" }, seen)
    end)

    it("is not woken by a stray resume", function()
      local thread
      tasks.spawn(function()
        thread = coroutine.running()
        tasks.sleep(2)
        note "awake"
      end)
      assert.is_true(coroutine.resume(thread, "stray"))
      manual:advance(1)
      assert.is_true(coroutine.resume(thread))
      assert.same({}, seen)
      manual:advance(1)
      assert.same({ "awake@2" }, seen)
    end)

    it("says what to do outside a coroutine", function()
      local isMain = select(2, coroutine.running())
      local function check()
        local ok, message = pcall(tasks.sleep, 1)
        assert.is_false(ok)
        assert.matches("call this in a coroutine: spry.spawn%(function%(%)", message)
      end
      if isMain then
        check()
      else
        -- table.sort is a C function without a continuation: nothing yields across it.
        table.sort({ 1, 2 }, function() check() return false end)
      end
    end)

    it("leaves no timer behind when its coroutine is closed", function()
      local thread
      tasks.spawn(function()
        thread = coroutine.running()
        tasks.sleep(2)
        note "never"
      end)
      coroutine.close(thread)
      assert.equal(0, manual:pending())
      manual:advance(3)
      assert.same({}, seen)
    end)

    it("reports what a coroutine raises that nobody watches", function()
      local lines = log.capture(function()
        coroutine.wrap(function()
          local _ <close> = tasks.defer(function() note "closed" end)
          tasks.sleep(1)
          error "unwatched"
        end)()
        manual:advance(1)
      end)
      assert.matches("unwatched", table.concat(lines, "\n"))
      assert.same({ "closed@1" }, seen)
    end)

    it("refuses what is no time, at the caller's line", function()
      for _, bad in ipairs { -1, 0 / 0, math.huge, "1" } do
        local _, message = pcall(function() tasks.sleep(bad) end)
        assert.matches("tasks_spec.lua:%d+: spry.sleep needs a number of seconds, 0 or more", message)
      end
    end)
  end)

  describe("after", function()
    it("calls once, in a coroutine", function()
      tasks.after(1, function()
        note "first"
        tasks.sleep(1)
        note "second"
      end)
      manual:advance(10)
      assert.same({ "first@1", "second@2" }, seen)
    end)

    it("can be cancelled, also by the end of its block", function()
      local timer = tasks.after(1, function() note "a" end)
      timer:cancel()
      do
        local _ <close> = tasks.after(1, function() note "b" end)
      end
      manual:advance(2)
      assert.same({}, seen)
    end)
  end)

  describe("every", function()
    it("ends when it was interrupted, before and after it waits, with a line in the log", function()
      local core = require "sprylua.core"
      local real, interrupted = core.interrupted, false
      finally(function() core.interrupted = real end)
      core.interrupted = function() return interrupted end
      local ticks = 0
      local lines = log.capture(function()
        tasks.every(1, function()
          ticks = ticks + 1
          interrupted = ticks == 2
        end)
        manual:advance(5)
        assert.equal(2, ticks)
        interrupted = false
        tasks.every(1, function()
          ticks = ticks + 1
          tasks.sleep(0.5)
          interrupted = true
          error "ran for longer"
        end)
        manual:advance(5)
      end)
      assert.equal(3, ticks)
      assert.equal(3, #lines)
      assert.matches("error: the timer of .*tasks_spec.lua:%d+ is cancelled, for it was interrupted", lines[1])
      assert.matches("is cancelled", lines[2])
      assert.matches("background task: .*ran for longer", lines[3])
    end)

    it("ticks until it is cancelled", function()
      local timer = tasks.every(10, function() note "tick" end)
      manual:advance(35)
      timer:cancel()
      manual:advance(35)
      assert.same({ "tick@10", "tick@20", "tick@30" }, seen)
      assert.equal(0, manual:pending())
    end)

    it("may be cancelled by its own tick", function()
      local timer
      timer = tasks.every(1, function()
        note "tick"
        timer:cancel()
      end)
      manual:advance(5)
      assert.same({ "tick@1" }, seen)
    end)

    it("leaves out a tick that is due while the last one still runs", function()
      local running, most = 0, 0
      local timer = tasks.every(1, function()
        running = running + 1
        most = math.max(most, running)
        note "tick"
        tasks.sleep(2.5)
        running = running - 1
      end)
      manual:advance(8.5)
      timer:cancel()
      assert.equal(1, most)
      assert.same({ "tick@1", "tick@4", "tick@7" }, seen)
    end)

    it("goes on after a tick that raised", function()
      local lines = log.capture(function()
        local timer = tasks.every(1, function()
          note "tick"
          error "broken tick"
        end)
        manual:advance(2)
        timer:cancel()
      end)
      assert.same({ "tick@1", "tick@2" }, seen)
      local text = table.concat(lines, "\n")
      assert.matches("tasks_spec.lua:%d+: broken tick", text)
      assert.matches("stack traceback", text)
    end)

    it("refuses no time at all", function()
      local _, message = pcall(function() tasks.every(0, print) end)
      assert.matches("tasks_spec.lua:%d+: spry.every needs a number of seconds, more than 0, not 0", message)
      _, message = pcall(function() tasks.every(1) end)
      assert.matches("tasks_spec.lua:%d+: spry.every needs a function to call, not nil", message)
    end)
  end)

  describe("spawn", function()
    it("passes arguments and starts at once", function()
      tasks.spawn(function(...) note(table.concat({ ... }, "+")) end, "a", "b")
      assert.same({ "a+b@0" }, seen)
    end)

    it("keeps an error to itself: the log and onError have it", function()
      local causes = {}
      tasks.onError = function(cause, traceback) causes[#causes + 1] = { cause, traceback } end
      local thing = setmetatable({}, { __tostring = function() return "a thing" end })
      local lines = log.capture(function()
        tasks.spawn(error, "plain")
        tasks.spawn(error, nil)
        tasks.spawn(error, thing)
        tasks.spawn(error, setmetatable({}, { __tostring = function() error "no" end }))
        tasks.spawn(function()
          tasks.sleep(1)
          error "later"
        end)
        manual:advance(1)
      end)
      assert.equal(5, #causes)
      assert.equal("plain", causes[1][1])
      assert.is_nil(causes[2][1])
      assert.equal(thing, causes[3][1])
      assert.matches("later", causes[5][2])
      local text = table.concat(lines, "\n")
      for _, part in ipairs { "plain", "error without a value", "a thing", "an error that is a table", "later" } do
        assert.matches(part, text)
      end
    end)

    it("survives an onError that raises", function()
      tasks.onError = function() error "in the hook" end
      local lines = log.capture(function() tasks.spawn(error, "first") end)
      assert.matches("first.*onError itself raised.*in the hook", table.concat(lines, "\n"))
    end)

    it("returns a task that can be cancelled where it waits", function()
      local task = tasks.spawn(function()
        local _ <close> = tasks.defer(function() note "closed" end)
        tasks.sleep(10)
        note "never"
      end)
      assert.is_false(task.done)
      manual:advance(1)
      task:cancel()
      task:cancel()
      assert.is_true(task.done)
      manual:advance(20)
      assert.same({ "closed@1" }, seen)
      assert.equal(0, manual:pending())
    end)

    it("reports what is raised while a task is cancelled", function()
      local causes = {}
      tasks.onError = function(cause, traceback) causes[#causes + 1] = { cause, traceback } end
      local thing = { code = 1 }
      local lines = log.capture(function()
        for _, cause in ipairs { "broken cleanup", thing } do
          local task = tasks.spawn(function()
            local _ <close> = tasks.defer(function() error(cause) end)
            tasks.sleep(10)
          end)
          task:cancel()
          assert.is_true(task.done)
        end
      end)
      assert.equal(2, #lines)
      assert.matches("background task: .*tasks_spec.lua:%d+: broken cleanup", lines[1])
      assert.matches("background task: .*code = 1", lines[2])
      assert.matches("broken cleanup$", causes[1][1])
      assert.matches("broken cleanup", causes[1][2])
      assert.equal(thing, causes[2][1])
    end)

    it("reports what leaves no room for a message handler", function()
      local lines = log.capture(function()
        tasks.spawn(function() return ("x"):rep(1 << 62) end)
        tasks.spawn(function()
          local function deep(n) return 1 + deep(n + 1) end
          deep(1)
        end)
      end)
      assert.equal(2, #lines)
      assert.matches("background task: .*stack overflow", lines[2])
    end)

    it("ends a task that cancels itself at its next wait", function()
      local task
      task = tasks.spawn(function()
        tasks.sleep(1)
        task:cancel()
        note "still here"
        tasks.sleep(1)
        note "never"
      end)
      manual:advance(5)
      assert.is_true(task.done)
      assert.same({ "still here@1" }, seen)
    end)
  end)

  describe("defer", function()
    it("runs at the end of its block, errors included", function()
      local given = "unset"
      local ok = pcall(function()
        local _ <close> = tasks.defer(function(err) given = err end)
        error("ended", 0)
      end)
      assert.is_false(ok)
      assert.equal("ended", given)
      do
        local _ <close> = tasks.defer(function(err) given = err end)
      end
      assert.is_nil(given)
    end)
  end)
end)
