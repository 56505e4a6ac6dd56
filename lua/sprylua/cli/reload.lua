-- A project that is served, and what becomes of it when its files change: the new app is built beside the one that
-- serves, and answers from the next request on. A project that does not load changes nothing, but that `dev` shows why.

local clock = require "sprylua.clock"
local event = require "sprylua.event"
local excerpt = require "sprylua.excerpt"
local log = require "sprylua.log"
local project = require "sprylua.cli.project"
local project_modules = require "sprylua.project_modules"
local tasks = require "sprylua.tasks"
local uv = require "luv"

local M = {}

---@class sprylua.Served: sprylua.Project
---@field private args table the parsed arguments
---@field private options sprylua.LoadOptions
---@field private modules sprylua.ProjectModules
---@field private timers table[] what its files have started while they were loaded
---@field private speaks boolean this process is the one to say what happens
---@field private absolute string path of the routes, links in it as they are
---@field private stamps sprylua.Stamps? of its files, before they were read
local Served = {}
Served.__index = Served

-- ── the new one ─────────────────────────────────────────────────────────────

local FIXED = { "host", "port", "workers", "redis" }
local HIDDEN = { redis = true } -- a password may be in it

-- What the process was started with stays.
local function keep_fixed(self, settings)
  for _, key in ipairs(FIXED) do
    local now, new = self.config[key], settings[key]
    if new ~= now and self.speaks then
      log.warn(HIDDEN[key] and ("%s stays what it was: restart the server to change it"):format(key)
        or ("%s stays %s: restart the server to make it %s"):format(key, tostring(now), tostring(new)))
    end
    settings[key] = now
  end
end

local function with(options, settings, path)
  local all = { config = settings, configPath = path }
  for name, value in pairs(options) do
    all[name] = value
  end
  return all
end

-- The project as it is now; nil and what is wrong.
local function read(self)
  local settings, path, message = project.read_settings(self.args)
  if not settings then
    return nil, { message }
  end
  keep_fixed(self, settings)
  self.modules.folder = project.folder(self.routes) -- which may be behind a link that leads elsewhere by now
  return self.modules:afresh(function()
    return project.load(self.args, with(self.options, settings, path))
  end)
end

local function cancel(timers)
  for _, timer in ipairs(timers) do
    timer:cancel()
  end
end

local function answer_with(loaded)
  require("sprylua.net").reload(loaded.core, { collector = loaded.config.collector })
end

-- "routes/index.lua changed: the new code serves"
local function because(changes, text)
  return changes and changes .. ": " .. text or text
end

local function take_over(self, new, timers, seconds, changes)
  answer_with(new.loaded)
  if self.loaded.metrics then
    self.loaded.metrics:retire()
  end
  if new.loaded.metrics then
    new.loaded.metrics:watch_loop()
  end
  cancel(self.timers)
  self.loaded, self.config, self.configPath, self.timers = new.loaded, new.config, new.configPath, timers
  if self.speaks then
    for _, warning in ipairs(new.loaded.warnings or {}) do
      log.warn(tostring(warning))
    end
    log.info(because(changes, ("the new code serves (loaded in %s)"):format(log.duration(seconds))))
  end
end

-- ── one that does not load ──────────────────────────────────────────────────

local function explain(problems)
  local parts = {}
  for _, problem in ipairs(problems) do
    parts[#parts + 1] = tostring(problem)
    parts[#parts + 1] = excerpt.of(tostring(problem))
  end
  if #problems > 1 then
    parts[#parts + 1] = ("%d problems"):format(#problems)
  end
  return table.concat(parts, "\n")
end

local function refuse(self, problems, changes)
  local text = explain(problems)
  local meanwhile = "the code from before goes on serving"
  if self.options.dev then
    meanwhile = "every request is told so until it does"
    answer_with(require("sprylua.app").notice("The project does not load.\n\n" .. text, self.config, self.options))
  end
  if self.speaks then
    log.error(because(changes, ("the project does not load; %s:\n%s"):format(meanwhile, text)))
  end
end

---Takes over what has changed. `onStart` does not run again.
---@param changes string? what has, for the log
function Served:reload(changes)
  local began = clock.now()
  local timers, new, problems = tasks.noting(read, self)
  if new then
    return take_over(self, new, timers, clock.now() - began, changes)
  end
  cancel(timers)
  refuse(self, problems, changes)
end

-- ── watching ────────────────────────────────────────────────────────────────

-- Editors' own files are nobody's.
local function is_visible(name)
  return not name:find "^%." and not name:find "~$"
end

local function is_lua(name)
  return is_visible(name) and name:find "%.lua$" ~= nil
end

local function is_view(name)
  return is_visible(name) and name:find "%.html$" ~= nil
end

local DEEP = { middleware = is_lua, views = is_view }

-- A folder of files that are Lua, or lead to a folder of such files.
local function place_of_code(folder, others)
  return { folder = folder, concerns = function(name)
    return is_lua(name) or others[folder .. "/" .. name] ~= nil
  end }
end

local function place_of_file(path)
  local folder, file = path:match "^(.*)/([^/]*)$"
  return { folder = folder == "" and "/" or folder, file = file, concerns = function(name) return name == file end }
end

-- The project's own folder, which may be replaced, or be a link that is.
local function add_project(list, self)
  local folder = self.absolute:match "^(.+)/[^/]+$"
  list[#list + 1] = folder and place_of_file(folder)
end

-- What lies in public/ is read for each request, so only the folder itself matters.
local function places(self)
  local folder, folders = project.folder(self.routes), self.modules:folders()
  local list = { { folder = self.routes, deep = true, concerns = is_lua } }
  for path in pairs(folders) do
    list[#list + 1] = place_of_code(path, folders)
  end
  for name, concerns in pairs(DEEP) do
    local path = folder .. "/" .. name
    folders[path] = true
    list[#list + 1] = { folder = path, deep = true, concerns = concerns }
  end
  folders[folder .. "/public"] = true
  folders[uv.fs_realpath(self.routes) or self.routes] = true
  list[#list + 1] = place_of_code(folder, folders)
  local config = self.configPath and uv.fs_realpath(self.configPath)
  list[#list + 1] = config and place_of_file(config)
  add_project(list, self)
  return list
end

-- A process whose own folder is replaced stays in the old one.
local function warn_when_left(self)
  local here, there = uv.fs_stat(self.routes), uv.fs_stat(self.absolute)
  if here and there and (here.ino ~= there.ino or here.dev ~= there.dev) then
    log.warn(("%s is another folder by now, and the server reads the one it was started in: restart it there")
      :format(self.absolute))
  end
end

local SHOWN = 3 -- files

-- "routes/a.lua and routes/b.lua changed"
local function tell_changes(self, paths)
  local prefix, names = project.folder(self.routes) .. "/", {}
  for i, path in ipairs(paths) do
    names[i] = path:sub(1, #prefix) == prefix and path:sub(#prefix + 1) or path
  end
  table.sort(names)
  local more = #names - SHOWN
  local shown = table.concat(names, ", ", 1, math.min(#names, SHOWN))
  return shown .. (more > 0 and (" and %d more"):format(more) or "") .. " changed"
end

---Reloads whenever a file changes, until `stopping()`.
---@param stopping fun(): boolean
function Served:watch(stopping)
  require("sprylua.watch").start(function()
    return places(self)
  end, self.stamps, function(paths)
    if not stopping() then
      warn_when_left(self)
      self:reload(tell_changes(self, paths))
    end
  end)
end

-- What `watch` needs, before anything is loaded.
local function unloaded(args, options, path)
  local routes = project.routes_of(args)
  return setmetatable({
    args = args, options = options, configPath = path, routes = routes,
    absolute = routes:sub(1, 1) == "/" and routes or uv.cwd() .. "/" .. routes,
    modules = project_modules.of(project.folder(routes)), speaks = event.context.worker == 1,
  }, Served)
end

---Loads a project in order to serve it.
---@param args table the parsed arguments
---@param options sprylua.LoadOptions
---@param settings table? what `project.settings` returned
---@param path string? of the config file
---@param watches boolean? whether `watch` will be called
---@return sprylua.Served?
---@return integer? code when it cannot be loaded; the reasons are on stderr
function M.open(args, options, settings, path, watches)
  local self = unloaded(args, options, path)
  self.stamps = watches and require("sprylua.watch").stamps(places(self)) or nil
  local timers, opened, code = tasks.noting(project.open, args, with(options, settings, path))
  if not opened then
    return nil, code
  end
  self.loaded, self.config, self.configPath, self.timers = opened.loaded, opened.config, opened.configPath, timers
  return self
end

return M
