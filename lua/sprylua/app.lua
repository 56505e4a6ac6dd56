-- A project's folder becomes an app: files are found, run and checked, routes composed, everything handed to
-- `core.app`. All that is wrong is collected first; either the app is whole, or there is a list of problems.

local compose = require "sprylua.compose"
local conflicts = require "sprylua.conflicts"
local core = require "sprylua.core"
local event = require "sprylua.event"
local failure = require "sprylua.failure"
local health = require "sprylua.health"
local json = require "sprylua.json"
local lazy = require "sprylua.lazy"
local log = require "sprylua.log"
local metrics = require "sprylua.metrics"
local misses = require "sprylua.misses"
local notice = lazy "sprylua.notice" ---@module "sprylua.notice"
local project = require "sprylua.project"
local public_folder = require "sprylua.public"
local request = require "sprylua.request"
local response = require "sprylua.response"
local tasks = require "sprylua.tasks"
local topics = require "sprylua.topics"
local upgrade = require "sprylua.upgrade"
local views = require "sprylua.views"
local websocket = require "sprylua.websocket"

local M = {}

core.extend("event", { getters = event.getters })
core.extend("upgrade", { methods = upgrade.methods })
core.extend("websocket", { methods = websocket.checked(websocket.methods) })
core.extend("websocket", { methods = websocket.checked(topics.methods) })

---@class sprylua.LoadOptions
---@field config table? complete settings; by default those of the project's sprylua.config.lua
---@field logAccess boolean? a line for each answer
---@field dev boolean? the text of errors is shown to the client
---@field websocket boolean? false: event.ws.isSupported is false
---@field metrics sprylua.Metrics? those that go on, if there are to be some

---@class sprylua.Loaded
---@field core table the core.app
---@field routes { method: string?, path: string, file: string }[]
---@field hooks table
---@field config table
---@field warnings string[]
---@field metrics sprylua.Metrics? when the config has a path for them

-- ── composing ───────────────────────────────────────────────────────────────

local function compose_route(route, app, levels_of)
  local found, definition = route.pattern, route.definition
  local levels = levels_of(found.folder)
  if definition.middleware or definition.onError then
    local own = { middleware = {}, errors = {} }
    for i, fn in ipairs(definition.middleware or {}) do
      own.middleware[i] = { call = fn, label = found.label, role = "middleware" }
    end
    own.errors[1] = definition.onError and { call = definition.onError, label = found.label, role = "onError" }
    levels[#levels + 1] = own
  end
  return compose.entry {
    handler = definition.handler, label = found.label, method = found.method, levels = levels, app = app,
  }
end

-- The files of public/ that are there at the start are routes, so that they beat parameters and rests.
local function add_public(list, taken, public, app, levels_at)
  for _, file in ipairs(public:list()) do
    local shape = conflicts.shape(file.segments)
    if not taken[shape] then
      taken[shape] = true
      local escaped = {}
      for i, name in ipairs(file.segments) do
        escaped[i] = name:gsub("%%", "%%25")
      end
      list[#list + 1] = {
        method = "GET",
        segments = file.segments,
        shown = "",
        entry = compose.entry {
          handler = function(ev)
            return public:serve(ev, file.path)
          end,
          label = "public/" .. file.path,
          method = "GET",
          levels = levels_at("/" .. table.concat(escaped, "/")),
          app = app,
        },
      }
    end
  end
end

-- Middleware sees the numbers' route as any other of that path, so it can keep strangers out.
local function add_metrics(list, taken, app, levels_at)
  local path = app.config.metrics
  local segments = {}
  for name in path:gmatch "[^/]+" do
    segments[#segments + 1] = name
  end
  if taken[conflicts.shape(segments)] then
    error(("metrics = %q: the project has a route of that path"):format(path), 0)
  end
  local entry = compose.entry {
    handler = app.metrics:handler(), label = "metrics", method = "GET", levels = levels_at(path), app = app,
  }
  list[#list + 1] = { method = "GET", segments = segments, entry = entry, shown = path }
end

-- What counts the answers of each route, and of what no route takes; those about its health are no news.
local function tallies_of(numbers, list)
  local tallies = { [0] = numbers:tally "" }
  for i, route in ipairs(list) do
    tallies[i] = route.shown and numbers:tally(route.shown) or false
  end
  return tallies
end

local function build_routers(read, app)
  local public = public_folder.open(read.name("public"))
  local missed, levels_at = misses.build(read.tree, public, app, read.levels_of)
  local list, taken = app.config.health and health.routes(app) or {}, {}
  for _, found in ipairs(list) do
    taken[conflicts.shape(found.segments)] = true
  end
  for _, route in ipairs(read.routes) do
    local found = route.pattern
    local entry = compose_route(route, app, read.levels_of)
    list[#list + 1] = { method = found.method, segments = found.segments, entry = entry, shown = found.path }
    if found.method == nil or found.method == "GET" then
      taken[conflicts.shape(found.segments)] = true
    end
  end
  if app.metrics then
    add_metrics(list, taken, app, levels_at)
  end
  if public then
    add_public(list, taken, public, app, levels_at)
  end
  return { routes = core.router(list), misses = missed, tallies = app.metrics and tallies_of(app.metrics, list) or nil }
end

-- ── the app ─────────────────────────────────────────────────────────────────

-- What is to be done for each answer; nil: nothing. Those about its health are no news.
local function access(app)
  return function(ev, status, seconds, bytes)
    if app.config.health and health.answers(ev.pathname) then
      return
    end
    log.access {
      method = ev.method, path = ev.path, status = status, seconds = seconds, bytes = bytes,
      remoteAddress = ev.remoteAddress, id = ev.id,
    }
  end
end

-- What the connection answered by itself. A request that has got to a handler and failed there is the project's matter.
local function refused(app, logs_access)
  return function(status, reason, remote_address, method, target)
    if logs_access then
      log.access { method = method, path = target, status = status, reason = reason, remoteAddress = remote_address }
    end
    if app.metrics then
      app.metrics:count_refused(status)
    end
    if status == 503 and method then
      local err = { status = status, message = reason, traceback = "" }
      failure.report(app, err, method .. " " .. target)
    end
  end
end

-- The configured limits, and the one that the parser has: bodyLimit may allow a route more than the others.
local function limits_of(config)
  local limits = {}
  for name, value in pairs(config.limits) do
    limits[name] = value
  end
  limits.maxBody = request.largestBody(limits.body)
  return limits
end

local function core_app(app, routers, options)
  return core.app {
    routes = routers.routes,
    misses = routers.misses,
    tallies = routers.tallies,
    response = response.Response,
    convert = compose.convert,
    encode = json.encode,
    failed = compose.failed,
    sessionFailed = function(ws, cause, traceback)
      local where = ws and "WebSocket session " .. ws.id or "beside a request"
      failure.report(app, failure.describe(cause, traceback), where, ws)
    end,
    access = options.logAccess and access(app) or nil,
    refused = refused(app, options.logAccess),
    limits = limits_of(app.config),
    ws = app.config.ws,
    websocket = options.websocket ~= false,
  }
end

local function show_routes(routes)
  local list = {}
  for i, route in ipairs(routes) do
    list[i] = { method = route.pattern.method, path = route.pattern.path, file = route.pattern.label }
  end
  return list
end

---An app that answers everything with a text, as an error of the server's, and logs none of that: browsers ask again
---and again. What is open stays as it is.
---@param title string
---@param text string
---@param config table complete settings
---@param options sprylua.LoadOptions
---@return sprylua.Loaded
function M.notice(title, text, config, options)
  local app = { hooks = {}, config = config, dev = true }
  local entry = compose.entry {
    handler = function(ev)
      return notice.answer(ev, title, text)
    end,
    label = "(notice)", levels = {}, app = app,
  }
  local everything = core.router { { segments = { { rest = false, min = 0 } }, entry = entry } }
  return {
    core = core_app(app, { routes = core.router {}, misses = everything }, { websocket = options.websocket }),
    routes = {}, hooks = {}, config = config, warnings = {},
  }
end

---Loads a project by its routes folder; what belongs to it (middleware/, public/, hooks.lua …) lies beside that.
---@param routes_dir string
---@param options sprylua.LoadOptions?
---@return sprylua.Loaded? loaded
---@return string[]? problems every one, with its file's name
function M.load(routes_dir, options)
  options = options or {}
  local views_before = views.use(nil)
  local read = project.read(routes_dir, options.config)
  if read.config and read.config.health then
    local found = health.conflicts(read.routes or {})
    table.move(found, 1, #found, #read.problems + 1, read.problems)
  end
  if #read.problems > 0 then
    views.use(views_before)
    return nil, read.problems
  end
  local app = { hooks = read.hooks, config = read.config, dev = options.dev or false, views = read.views }
  app.metrics = app.config.metrics and (options.metrics or metrics.new()) or nil
  local ok, routers = pcall(build_routers, read, app)
  if not ok then
    views.use(views_before)
    return nil, { routes_dir .. ": " .. tostring(routers) } -- a limit of the router: too many parameters or segments
  end
  local on_error = app.hooks.onError
  tasks.onError = on_error and function(cause, traceback)
    on_error(failure.describe(cause, traceback))
  end
  return {
    core = core_app(app, routers, options),
    routes = show_routes(read.routes),
    hooks = app.hooks,
    config = app.config,
    warnings = read.warnings,
    metrics = app.metrics,
  }
end

return M
