-- `sprylua test`: runs busted in this very Lua state, so that specs need no paths to be set.
-- The suite runs in a coroutine: where a spec waits, the loop and the testing clock go on.

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

-- Real time for work of luv's before simulated time moves on, nanoseconds; as in testing's own waits.
local PATIENCE = 1e9

-- The suite waits: a spec sleeps, or waits for a callback. luv's work is waited for; the testing clock, which stands
-- still while nobody moves it, is moved on to its next timer. Returns when the suite is over, or when nothing can ever
-- wake it.
local function keep_going()
  local uv = require "luv"
  local since = uv.hrtime()
  -- So that no turn of the loop takes longer than our patience.
  local guard = uv.new_timer()
  guard:start(10, 10, function() end)
  guard:unref()
  local _ <close> = require("sprylua.tasks").defer(function()
    if not guard:is_closing() then guard:close() end -- a spec may have closed whatever handle it found
  end)
  while not state.code do
    -- A spec file may have a copy of its own of all modules, so the world is the one that is loaded now.
    local world = package.loaded["sprylua.testing.world"]
    local busy = not world or world.isPolling() or world.isBusy()
    if busy and (not world or world.isPolling() or uv.hrtime() - since < PATIENCE) then
      if not world and not uv.loop_alive() then return end
      uv.run "once"
    elseif not world.stepOn() and not busy then
      return
    else
      since = uv.hrtime()
    end
  end
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
  keep_going()
  if not state.code then
    local spec = state.spec and ("the spec %q"):format(state.spec) or "a spec"
    io.stderr:write(("sprylua: %s waits for something that will never come\n"):format(spec))
  end
  return state.code or 1
end

return M
