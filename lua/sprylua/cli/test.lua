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

local function suite(arguments)
  local ok, raised = xpcall(function()
    _G.arg = arguments -- where busted looks for its own
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
  state.looping = true
  return state.code
end

function M.finish()
  if state.code then return state.code end
  io.stderr:write "sprylua: a spec waits for something that will never come\n"
  return 1
end

return M
