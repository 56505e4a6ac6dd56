-- `sprylua test`: runs busted in this very Lua state, so that specs need no paths to be set.
-- The suite runs in a coroutine: where a spec waits, the event loop goes on.

local M = { takes_all = true }

local state = {}

function M.summary()
  return "Run the specs with busted."
end

function M.description()
  return "Run the specs with busted, with sprylua and sprylua.testing on the path. All arguments are busted's; "
    .. "busted --help lists them. Without any, the folder spec is run."
end

function M.configure(parser)
  parser:argument("arguments", "Files, folders and options for busted."):args("*")
end

-- busted ends the process itself. Here it ends the suite's coroutine, and the process in its own order after that.
local function replace_exit(compatibility)
  compatibility.exit = function(code)
    error(setmetatable({ code = code == 0 and 0 or 1 }, { __name = "sprylua.exit" }), 0)
  end
end

local function traced(cause)
  if type(cause) == "table" and cause.code then return cause end
  return { code = 70, message = debug.traceback(tostring(cause), 2) }
end

-- ── time ────────────────────────────────────────────────────────────────────

-- The testing clock stands still while nobody moves it. A spec that waits by itself (spry.sleep in an `it`) would wait
-- for ever, so the loop moves time on whenever the suite waits and nothing else is going on.

local PATIENCE = 1e9 -- nanoseconds of real time for work of luv's, as in testing's own waits
local LONGEST = 86400 -- simulated seconds: timers that only repeat wake nobody

-- Each spec file may have a copy of its own of all modules, so the world is the one that is loaded now.
local function current_world()
  local world = package.loaded["sprylua.testing.world"]
  if world and state.driver then
    world.driver = state.driver
    state.driver:ref()
  end
  return world
end

-- Called by the loop, so the suite waits. False when there is no hope left for it.
local function drive(uv)
  local world, now = current_world(), uv.hrtime()
  if not world then
    state.driver:unref() -- only luv can wake it
  elseif world.isPolling() then
    state.since = now
  elseif not world.isBusy() or now - state.since > PATIENCE then
    state.deadline = state.deadline or world.clock.now() + LONGEST
    return world.clock.now() < state.deadline and world.stepOn() or world.isBusy()
  end
  return true
end

local function keep_time()
  local uv = require "luv"
  state.driver, state.since = uv.new_timer(), uv.hrtime()
  state.driver:start(1, 1, function()
    if state.code or not drive(uv) then state.driver:close() end
  end)
end

-- ── the suite ───────────────────────────────────────────────────────────────

local function full_name(core, element)
  local names = {}
  while element and element.name do
    table.insert(names, 1, element.name)
    element = core.context.parent(element)
  end
  return table.concat(names, " ")
end

-- Remembers which spec is running, for when it never ends.
local function follow_specs()
  local busted = require "busted.core"
  package.loaded["busted.core"] = function(...)
    local core = busted(...)
    core.subscribe({ "test", "start" }, function(element)
      state.spec = full_name(core, element)
      state.since, state.deadline = require("luv").hrtime(), nil
      current_world()
      return nil, true
    end)
    return core
  end
end

local function suite(arguments)
  local ok, raised = xpcall(function()
    _G.arg = arguments -- where busted looks for its own
    follow_specs()
    require "busted.runner" { standalone = false }
  end, traced)
  state.code = ok and 0 or raised.code
  if raised and raised.message then io.stderr:write("sprylua: the test runner failed: ", raised.message, "\n") end
  if state.looping then require("sprylua.net").stop(0) end
end

function M.run(arguments)
  local found, compatibility = pcall(require, "busted.compatibility")
  if not found then
    io.stderr:write "sprylua: busted is not installed; on Debian: apt-get install lua-busted\n"
    return 69
  end
  replace_exit(compatibility)
  arguments[0] = "sprylua test"
  coroutine.wrap(suite)(arguments)
  if not state.code then keep_time() end
  state.looping = true
  return state.code
end

function M.finish()
  if state.code then return state.code end
  local spec = state.spec and ("the spec %q"):format(state.spec) or "a spec"
  io.stderr:write(("sprylua: %s waits for something that will never come\n"):format(spec))
  return 1
end

return M
