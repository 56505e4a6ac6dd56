-- A project that is served, and what becomes of it when its files change: the new app is built beside the one that
-- serves, and answers from the next request on, once its onStart has returned. A project that does not load or start
-- changes nothing, but that `dev` shows why.

local clock = require "sprylua.clock"
local event = require "sprylua.event"
local excerpt = require "sprylua.excerpt"
local generations = require "sprylua.cli.generation"
local hooks = require "sprylua.cli.hooks"
local log = require "sprylua.log"
local places = require "sprylua.cli.places"
local project = require "sprylua.cli.project"
local project_modules = require "sprylua.project_modules"
local room = require "sprylua.cli.room"
local tasks = require "sprylua.tasks"
local uv = require "luv"
local views = require "sprylua.views"

local M = {}

---@class sprylua.Coming what is loaded and starts
---@field generation sprylua.Generation
---@field task sprylua.Task which waits for its onStart
---@field began number when it was about to be read
---@field changes string? why
---@field undo fun()

---@class sprylua.Served: sprylua.Project what serves, and where it comes from
---@field generation sprylua.Generation
---@field absolute string path of the routes, links in it as they are
---@field modules sprylua.ProjectModules
---@field private args table the parsed arguments
---@field private options sprylua.LoadOptions
---@field private coming sprylua.Coming?
---@field private retired sprylua.Generation[] whose onStop has not returned
---@field private speaks boolean this process is the one to say what happens
---@field private stamps sprylua.Stamps? of its files, before they were read
local Served = {}
Served.__index = Served

-- ── the new one ─────────────────────────────────────────────────────────────

local FIXED = { "host", "port", "workers", "redis" }
local HIDDEN = { redis = true } -- a password may be in it

---Says of which settings a running server keeps what it was started with.
---@param keys string[]
---@param now table
---@param new table
function M.say_what_stays(keys, now, new)
  for _, key in ipairs(keys) do
    if new[key] ~= now[key] then
      log.warn(HIDDEN[key] and ("%s stays what it was: restart the server to change it"):format(key)
        or ("%s stays %s: restart the server to make it %s"):format(key, tostring(now[key]), tostring(new[key])))
    end
  end
end

-- What the process was started with stays.
local function keep_fixed(self, settings)
  if self.speaks then
    M.say_what_stays(FIXED, self.config, settings)
  end
  for _, key in ipairs(FIXED) do
    settings[key] = self.config[key]
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

local function answer_with(loaded)
  local limits = loaded.config.limits
  require("sprylua.net").reload(loaded.core, {
    collector = loaded.config.collector, cpuTime = limits.cpuTime or nil, memory = limits.memory,
  })
end

-- "routes/index.lua changed: the new code serves"
local function because(changes, text)
  return changes and changes .. ": " .. text or text
end

-- ── taking over ─────────────────────────────────────────────────────────────

local function adopt(self, generation)
  self.generation = generation
  self.options.metrics = generation.loaded.metrics or self.options.metrics -- they are the process's
  self.loaded, self.config, self.configPath = generation.loaded, generation.config, generation.configPath
end

-- onStop runs when nothing of the old code does any more.
local function retire(self, generation)
  generation:cancel()
  self.retired[#self.retired + 1] = generation
  require("sprylua.net").whenFree(generation.loaded.core, function()
    generation:stop(function()
      for i, one in ipairs(self.retired) do
        if one == generation then
          return table.remove(self.retired, i)
        end
      end
    end)
  end)
end

local function take_over(self, coming)
  local before, loaded = self.generation, coming.generation.loaded
  self.coming = nil
  answer_with(loaded)
  if loaded.metrics then
    loaded.metrics:watch_loop()
  elseif before.loaded.metrics then
    before.loaded.metrics:rest()
  end
  adopt(self, coming.generation)
  retire(self, before)
  if self.speaks then
    for _, warning in ipairs(loaded.warnings or {}) do
      log.warn(tostring(warning))
    end
    local seconds = log.duration(clock.now() - coming.began)
    log.info(because(coming.changes, ("the new code serves (loaded in %s)"):format(seconds)))
  end
end

-- ── one that does not load, or does not start ───────────────────────────────

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

local function refuse(self, what, problems, changes)
  local text = explain(problems)
  local meanwhile = "the code from before goes on serving"
  if self.options.dev then
    meanwhile = "every request is told so until it does"
    local title = ("The project does not %s."):format(what)
    answer_with(require("sprylua.app").notice(title, text, self.config, self.options))
  end
  if self.speaks then
    log.error(because(changes, ("the project does not %s; %s:\n%s"):format(what, meanwhile, text)))
  end
end

-- ── starting ────────────────────────────────────────────────────────────────

-- What was about to serve never will.
local function give_up(self)
  local coming = self.coming
  self.coming = nil
  coming.generation:cancel()
  coming.undo()
end

local function bring_in(self, coming)
  local problem = coming.generation:start()
  local limits = coming.generation.config.limits
  if not problem and limits.memory ~= self.config.limits.memory then
    problem = room.problem(limits)
  end
  if problem then
    give_up(self)
    refuse(self, "start", { problem }, coming.changes)
  else
    take_over(self, coming)
  end
end

-- How to have the views and the onError of now in their places again.
local function remember()
  local shown, on_error = views.use(nil), tasks.onError
  views.use(shown)
  return function()
    views.use(shown)
    tasks.onError = on_error
  end
end

local LONG = 1 -- seconds

-- Otherwise one would wonder why nothing has changed.
local function say_that_it_waits(self, coming)
  clock.after(LONG, function()
    if self.coming == coming and self.speaks then
      log.info(because(coming.changes, "the new code serves when its onStart has returned"))
    end
  end)
end

---Takes over what has changed, when its onStart has returned. The newest wins: what starts still is given up.
---@param changes string? what has, for the log
function Served:reload(changes)
  if self.coming then
    self.coming.task:cancel()
    give_up(self)
  end
  local began, restore = clock.now(), remember()
  local timers, new, more = tasks.noting(read, self)
  if not new then
    generations.cancel(timers)
    return refuse(self, "load", more, changes)
  end
  local coming = { generation = generations.new(new, timers), began = began, changes = changes, undo = function()
    more()
    restore()
  end }
  self.coming = coming
  coming.task = tasks.spawn(bring_in, self, coming)
  if self.coming == coming then
    say_that_it_waits(self, coming)
  end
end

---Runs the hooks of the end, and waits for them.
---@param for_all boolean? the whole server stops, and this process is the one to say so
function Served:stop(for_all)
  if self.coming then
    self.coming.task:cancel()
    give_up(self)
  end
  local problem = for_all and hooks.run(self.loaded, "onAppStop")
  if problem then
    log.error(problem)
  end
  local all = { self.generation, table.unpack(self.retired) }
  local thread, left, waits = coroutine.running(), #all, false
  for _, generation in ipairs(all) do
    generation:stop(function()
      left = left - 1
      if left == 0 and waits then
        tasks.wake(thread)
      end
    end)
  end
  waits = true
  while left > 0 do
    coroutine.yield()
  end
end

-- ── watching ────────────────────────────────────────────────────────────────

-- A process whose own folder is replaced stays in the old one.
local function warn_when_left(self)
  local here, there = uv.fs_stat(self.routes), uv.fs_stat(self.absolute)
  if here and there and (here.ino ~= there.ino or here.dev ~= there.dev) then
    log.warn(("%s is another folder by now, and the server reads the one it was started in: restart it there")
      :format(self.absolute))
  end
end

---Reloads whenever a file changes, until `stopping()`.
---@param stopping fun(): boolean
function Served:watch(stopping)
  require("sprylua.watch").start(function()
    return places.of(self)
  end, self.stamps, function(paths)
    if not stopping() then
      warn_when_left(self)
      self:reload(places.tell(self, paths))
    end
  end)
end

-- What `watch` needs, before anything is loaded.
local function unloaded(args, options, path)
  local routes = project.routes_of(args)
  return setmetatable({
    args = args, options = options, configPath = path, routes = routes,
    absolute = routes:sub(1, 1) == "/" and routes or uv.cwd() .. "/" .. routes,
    modules = project_modules.of(project.folder(routes)), speaks = event.context.worker == 1, retired = {},
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
  self.stamps = watches and require("sprylua.watch").stamps(places.of(self)) or nil
  local timers, opened, code = tasks.noting(project.open, args, with(options, settings, path))
  if not opened then
    return nil, code
  end
  adopt(self, generations.new(opened, timers))
  return self
end

return M
