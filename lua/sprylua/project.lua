-- Reads a project's folder: routes/ and what lies beside it. Files are found, run and checked; what is wrong is
-- collected, so that a start reports everything at once.

local conflicts = require "sprylua.conflicts"
local loader = require "sprylua.loader"
local scan = require "sprylua.scan"
local signature = require "sprylua.signature"
local uv = require "luv"
local views = require "sprylua.views"

local M = {}

local function kind_of(path)
  local stat = uv.fs_stat(path)
  return stat and stat.type
end

-- The folder that holds routes/: as short as it can be said, for messages.
local function parent_of(folder)
  local path = folder:gsub("(.)/+$", "%1")
  local real = uv.fs_realpath(path) or path
  local parent = real:match("^(.+)/[^/]*$") or "/"
  local short = path:match("^(.+)/[^/]*$") or "."
  return uv.fs_realpath(short) == parent and short or parent, parent
end

local function put_on_path(folder)
  local front = folder .. "/?.lua;" .. folder .. "/?/init.lua;"
  if package.path:sub(1, #front) ~= front then
    package.path = front .. package.path
  end
end

local function append(list, more)
  for _, item in ipairs(more or {}) do
    list[#list + 1] = item
  end
end

---@class sprylua.ProjectFiles
---@field name fun(file: string): string a file beside routes/, as messages call it
---@field tree sprylua.Tree
---@field levels_of fun(folder: string): sprylua.Level[] what folders add, outermost first
---@field routes { pattern: sprylua.Pattern, definition: sprylua.Definition }[]
---@field hooks table
---@field config table
---@field views sprylua.Views
---@field problems string[]
---@field warnings string[]

local SHAPES = { middleware = "function(event, next) … end", error = "function(err, event) … end" }
local ROLES = { middleware = "middleware", error = "error file" }

local function step(project, found, kind)
  local fn, problem = loader.fn(found.label, SHAPES[kind])
  if not fn then
    project.problems[#project.problems + 1] = problem
    return nil
  end
  return { call = fn, label = found.label, role = ROLES[kind], method = found.method }
end

local function steps(project, list, kind)
  local out = {}
  for _, found in ipairs(list or {}) do
    out[#out + 1] = step(project, found, kind)
  end
  return out
end

-- Folder -> its level: what its own middleware and error files add.
local function read_levels(project, tree)
  local levels = { [""] = { middleware = {}, errors = {} } }
  for _, folder in ipairs(tree.folders) do
    levels[folder] = {
      middleware = steps(project, tree.middleware[folder], "middleware"),
      errors = steps(project, tree.errors[folder], "error"),
    }
  end
  local folder = project.name("middleware")
  if kind_of(folder) == "directory" then
    local list, problems, warnings = scan.middleware(scan.readdir(folder), folder)
    append(project.problems, problems)
    append(project.warnings, warnings)
    local global = steps(project, list, "middleware")
    -- Global middleware is the outer part of the root's level: what it raises is for the root's _error.
    table.move(levels[""].middleware, 1, #levels[""].middleware, #global + 1, global)
    levels[""].middleware = global
  end
  return function(path)
    local found, prefix = { levels[""] }, ""
    for name in path:gmatch("[^/]+") do
      prefix = prefix == "" and name or prefix .. "/" .. name
      found[#found + 1] = levels[prefix]
    end
    return found
  end
end

local function read_routes(project, tree)
  local routes = {}
  for _, found in ipairs(tree.routes) do
    local definition, problem = loader.route(found.label)
    if definition then
      routes[#routes + 1] = { pattern = found, definition = definition }
    else
      project.problems[#project.problems + 1] = problem
    end
  end
  return routes
end

local function read_hooks(project)
  local path = project.name("hooks.lua")
  if not kind_of(path) then
    return {}
  end
  local hooks, problems = loader.hooks(path)
  append(project.problems, problems)
  return hooks or {}
end

local function read_config(project)
  local path = project.name("sprylua.config.lua")
  local config, message = require("sprylua.config").load(kind_of(path) and path or nil)
  project.problems[#project.problems + 1] = message
  return config
end

-- Before the routes, which may render while they are loaded.
local function read_views(project)
  local folder = project.name("views")
  local found, problems, warnings = views.load(folder, kind_of(folder) == "directory")
  append(project.problems, problems)
  append(project.warnings, warnings)
  return found
end

local function find_conflicts(project, tree)
  local scoped = {}
  for _, folder in ipairs(tree.folders) do
    append(scoped, tree.middleware[folder])
    append(scoped, tree.errors[folder])
  end
  append(project.problems, conflicts.find(tree.routes, scoped))
end

---Reads everything. When `problems` is not empty, the rest may have holes.
---@param routes_dir string
---@param config table? complete settings; nil: those of the project's sprylua.config.lua, or the defaults
---@return sprylua.ProjectFiles
function M.read(routes_dir, config)
  local project = { problems = {}, warnings = {} }
  local folder, absolute = parent_of(routes_dir)
  function project.name(file)
    return folder == "." and file or folder .. "/" .. file
  end
  if kind_of(routes_dir) ~= "directory" then
    project.problems[1] = routes_dir .. ": there is no such folder; a project keeps its routes in it"
    return project
  end
  put_on_path(absolute)
  project.tree = scan.routes(scan.readdir(routes_dir), (routes_dir:gsub("(.)/+$", "%1")))
  append(project.problems, project.tree.problems)
  append(project.warnings, project.tree.warnings)
  find_conflicts(project, project.tree)
  signature.isNeeded = false
  project.views = read_views(project)
  project.levels_of = read_levels(project, project.tree)
  project.routes = read_routes(project, project.tree)
  project.hooks = read_hooks(project)
  project.config = config or read_config(project)
  if signature.isNeeded and project.config and not project.config.secrets then
    project.problems[#project.problems + 1] = signature.MISSING
  end
  return project
end

return M
