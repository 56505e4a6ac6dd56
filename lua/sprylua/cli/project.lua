-- Opening a project for a command: the routes folder, its config file, and the app, with what is wrong on stderr.

local uv = require "luv"
local config = require "sprylua.config"

local M = {}

local function kind(path)
  local stat = uv.fs_stat(path)
  return stat and stat.type
end

---The options that say which project is meant.
function M.configure(parser)
  parser:argument("routes", "The folder whose files are the routes (default: routes)."):args("?")
  parser:option("-c --config", "The settings; sprylua.config.lua beside the folder of routes, if there is none.")
    :argname("FILE")
end

---The folder that holds the routes folder.
---@param routes string
---@return string
function M.folder(routes)
  local base = uv.fs_realpath(routes) or routes
  return base:match "^(.+)/[^/]+$" or "/"
end

local function complain(lines)
  for line in lines:gmatch "[^\n]+" do io.stderr:write("sprylua: ", line, "\n") end
end

local function config_path(args, env, folder)
  local given = args.config or (env.SPRYLUA_CONFIG ~= "" and env.SPRYLUA_CONFIG) or nil
  if given then return given end
  local beside = folder .. "/sprylua.config.lua"
  return kind(beside) and beside or nil
end

---The environment as a table, asked for when a variable is needed.
---@return table
function M.environment()
  return setmetatable({}, { __index = function(_, name) return os.getenv(name) end })
end

---The folder of routes that is meant.
---@param args table the parsed arguments
---@return string
function M.routes_of(args)
  return ((args.routes or "routes"):gsub("(.)/+$", "%1"))
end
local routes_of = M.routes_of

---The settings of the project.
---@param args table the parsed arguments
---@return table? settings
---@return string? path of the config file
---@return string? message what is wrong
---@return "config"|"usage"? fault
function M.read_settings(args)
  local env = M.environment()
  local path = config_path(args, env, M.folder(routes_of(args)))
  local settings, message, fault = config.load(path, args, env)
  return settings, path, message, fault
end

---The same; what is wrong with them is on stderr.
---@param args table the parsed arguments
---@return table? settings
---@return string|integer|nil path of the config file; without settings: the exit code
function M.settings(args)
  local settings, path, message, fault = M.read_settings(args)
  if settings then return settings, path end
  complain(message)
  return nil, fault == "usage" and 64 or 65
end

local function load_app(routes, opts)
  local loaded, problems = require("sprylua.app").load(routes, opts)
  if loaded then return loaded end
  for _, problem in ipairs(problems) do complain(tostring(problem)) end
  if #problems > 1 then complain(("%d problems"):format(#problems)) end
  return nil, 65
end

local function complain_further(routes)
  if kind(routes) == "directory" then
    load_app(routes, { config = config.complete { secrets = { ("x"):rep(64) } } })
  end
end

---With settings that are wrong there is no project; what is wrong beside them is said all the same.
---@param args table
---@param code any what `settings` returned
---@return integer code
function M.refuse(args, code)
  complain_further(routes_of(args))
  return code
end

---@class sprylua.Project
---@field loaded table what `app.load` returned
---@field config table
---@field configPath string?
---@field routes string

---Loads everything that belongs to the routes folder.
---@param args table the parsed arguments
---@param opts table? for `app.load`; `config` and `configPath`: what `settings` returned;
--- `configured`: called with the settings before anything is loaded
---@return sprylua.Project?
---@return integer? code when it cannot be loaded; the reasons are on stderr
function M.open(args, opts)
  opts = opts or {}
  local routes = routes_of(args)
  local settings, path = opts.config, opts.configPath
  if not settings then settings, path = M.settings(args) end
  if not settings then return nil, M.refuse(args, path) end
  if kind(routes) ~= "directory" then
    complain(("there is no folder %s here: name the folder of routes, or make a project with: sprylua new NAME")
      :format(routes))
    return nil, 65
  end
  opts.config = settings
  if opts.configured then opts.configured(settings) end
  local loaded, code = load_app(routes, opts)
  if not loaded then return nil, code end
  return { loaded = loaded, config = settings, configPath = path, routes = routes }
end

---The same for settings that are there, without a word on stderr.
---@param args table the parsed arguments
---@param opts table for `app.load`; `config` and `configPath`: what `read_settings` returned
---@return sprylua.Project?
---@return string[]? problems
function M.load(args, opts)
  local routes = routes_of(args)
  local loaded, problems = require("sprylua.app").load(routes, opts)
  if not loaded then return nil, problems end
  return { loaded = loaded, config = opts.config, configPath = opts.configPath, routes = routes }
end

---The rows of the routing table, as lines that line up.
---@param routes table[]
---@param indent string?
---@return string[]
function M.table_lines(routes, indent)
  local width = 0
  for _, route in ipairs(routes) do width = math.max(width, #route.path) end
  local lines = {}
  for i, route in ipairs(routes) do
    lines[i] = ("%s%-7s %s%s  %s"):format(indent or "", route.method or "ANY", route.path,
      (" "):rep(width - #route.path), route.file or "")
  end
  return lines
end

return M
