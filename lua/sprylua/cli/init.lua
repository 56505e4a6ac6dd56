-- The command line: which commands there are, how their arguments are read, and the exit codes.
-- main.c calls `main(argv)`; an integer is the exit code, nil means that the event loop shall run and that `finish()`
-- knows the exit code afterwards.

local argparse = require "argparse"
local nearest = require "sprylua.nearest"

local M = {}

---Exit codes, as in sysexits.h.
M.codes = { ok = 0, failed = 1, usage = 64, data = 65, unavailable = 69, internal = 70 }

-- In the order of the help text. `dev` is `serve` with another word for it.
local commands = {
  { name = "serve", module = "sprylua.cli.serve" },
  { name = "dev", module = "sprylua.cli.serve" },
  { name = "routes", module = "sprylua.cli.routes" },
  { name = "check", module = "sprylua.cli.check" },
  { name = "test", module = "sprylua.cli.test" },
  { name = "new", module = "sprylua.cli.new" },
  { name = "version", module = "sprylua.cli.version" },
}

---What `main` was called with.
---@type string[]
M.arguments = nil

local running -- the module of the command that was started

local function help()
  local lines = { "Usage: sprylua COMMAND [ARGUMENTS]", "", "Commands:" }
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ("   %-10s %s"):format(command.name, require(command.module).summary(command.name))
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "sprylua COMMAND -h tells more about one of them."
  return table.concat(lines, "\n")
end

---Complains on stderr, with how it should have been called.
---@return integer code
local function usage_error(message, usage)
  io.stderr:write("sprylua: ", message, "\n", usage, "\n")
  return M.codes.usage
end

local function find(name)
  for _, command in ipairs(commands) do
    if command.name == name then return command end
  end
end

local function command_names()
  local names = {}
  for i, command in ipairs(commands) do names[i] = command.name end
  return names
end

local function asks_for_help(args)
  for _, arg in ipairs(args) do
    if arg == "--" then return false end
    if arg == "-h" or arg == "--help" then return true end
  end
end

local function parser_for(command, module)
  -- argparse's own help flag would end the process inside the parser.
  local parser = argparse("sprylua " .. command.name, module.description and module.description(command.name)
    or module.summary(command.name)):add_help(false):help_max_width(80)
  module.configure(parser, command.name)
  parser:flag("-h --help", "Show this help and exit.")
  return parser
end

local function run(command, args)
  local module = require(command.module)
  running = module
  local parser = parser_for(command, module)
  if asks_for_help(args) then
    print(parser:get_help())
    return M.codes.ok
  end
  if module.takes_all then return module.run(args, command.name) end
  local ok, result = parser:pparse(args)
  if not ok then return usage_error(("%s: %s"):format(command.name, result), parser:get_usage()) end
  return module.run(result, command.name)
end

local function dispatch(argv)
  local name = argv[1]
  if name == nil then return usage_error("a command is missing", help()) end
  if name == "-h" or name == "--help" then
    print(help())
    return M.codes.ok
  end
  if name == "--version" then name = "version" end
  local command = find(name)
  if not command then
    local hint = nearest.hint(name, command_names())
    return usage_error(("there is no command %s%s"):format(name, hint), "sprylua -h lists the commands.")
  end
  return run(command, table.move(argv, 2, #argv, 1, {}))
end

local function internal_error(cause)
  io.stderr:write("sprylua: internal error: ", debug.traceback(tostring(cause), 2), "\n")
  return M.codes.internal
end

---Runs a command.
---@param argv string[] without the program's name
---@return integer? code nil: run the event loop, then call `finish`
function M.main(argv)
  M.arguments = argv
  local _, code = xpcall(dispatch, internal_error, argv)
  return code
end

---After the event loop has ended.
---@return integer? code nil: run it again, then call this again
function M.finish()
  if not running or not running.finish then return M.codes.ok end
  local _, code = xpcall(running.finish, internal_error)
  return code
end

return M
