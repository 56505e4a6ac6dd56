-- `sprylua serve` and `sprylua dev`: load, run onStart, listen; on a signal run onStop, drain, stop.

local uv = require "luv"
local clock = require "sprylua.clock"
local log = require "sprylua.log"
local message_handler = require "sprylua.message_handler"
local project = require "sprylua.cli.project"

local M = {}

local state = {
  code = nil, -- what the process will end with, once that is known
  listening = false, -- net.serve has succeeded
  stopping = false, -- the first TERM or INT has come
}

function M.summary(name)
  if name == "dev" then return "Serve, take over what changes, and show errors in the answers." end
  return "Serve a folder of routes over HTTP and WebSocket."
end

function M.description(name)
  local text = M.summary(name)
  return text .. " Settings come from flags, then SPRYLUA_* (and PORT, HOST), then sprylua.config.lua."
end

function M.configure(parser)
  project.configure(parser)
  parser:option("-H --host", "The address to listen on (default: 127.0.0.1)."):argname("HOST")
  parser:option("-p --port", "The port; 0 takes any free one (default: 4000)."):argname("PORT")
  parser:option("-w --workers", "How many processes serve; auto: one for each processor (default: 1)."):argname("N")
  parser:flag("--watch", "Take over changes of the project's files at once; dev does so anyway.")
  parser:option("--log", "The access log on stdout: text, json or none (default: text)."):argname("FORMAT")
  parser:flag("--no-websocket", "Answer WebSocket handshakes with 501.")
end

local carrier -- sprylua.redis.carrier, when there is a Redis

-- ── the logs ────────────────────────────────────────────────────────────────

local function wants_colour(descriptor)
  local no_colour = os.getenv "NO_COLOR"
  return (no_colour == nil or no_colour == "") and uv.guess_handle(descriptor) == "tty"
end

local formats = { text = true, json = true, none = true }

-- The format of the access log, or nil when there is none such.
local function setup_log(args)
  local format, label = args.log, "--log"
  if not format then format, label = os.getenv "SPRYLUA_LOG", "SPRYLUA_LOG" end
  if format == nil or format == "" then format = "text" end
  if not formats[format] then
    io.stderr:write(("sprylua: %s must be text, json or none, not %q\n"):format(label, format))
    return nil
  end
  log.setup { access = format, colour = wants_colour(1), colourMessages = wants_colour(2) }
  -- A line is out when it is written, also through a pipe.
  io.stdout:setvbuf "line"
  return format
end

-- ── what is printed when it listens ─────────────────────────────────────────

local function url(host, port)
  local wild = host == "0.0.0.0" or host == "::"
  if wild then return ("http://127.0.0.1:%d/ (and every other address of this machine)"):format(port) end
  if host:find ":" then host = "[" .. host .. "]" end
  return ("http://%s:%d/"):format(host, port)
end

local function beside(opened)
  local folder, found = project.folder(opened.routes), {}
  for _, name in ipairs { "middleware", "public", "views", "hooks.lua" } do
    if uv.fs_stat(folder .. "/" .. name) then found[#found + 1] = name end
  end
  if opened.configPath then found[#found + 1] = opened.configPath:match "[^/]+$" end
  return found
end

local function announcement(opened, host, port)
  local lines = project.table_lines(opened.loaded.routes, "  ")
  local found = beside(opened)
  if #found > 0 then lines[#lines + 1] = "with " .. table.concat(found, ", ") end
  for _, warning in ipairs(opened.loaded.warnings or {}) do lines[#lines + 1] = "warning: " .. tostring(warning) end
  lines[#lines + 1] = "sprylua listens on " .. url(host, port)
  return table.concat(lines, "\n")
end

local function announce(text, started, workers)
  local by = workers > 1 and (" with %d workers"):format(workers) or ""
  io.stderr:write(text, by, (" (started in %.0f ms)\n"):format((clock.now() - started) * 1000))
end

-- ── stopping ────────────────────────────────────────────────────────────────

local SERVICE_RESTART = 1012 -- a close code, of IANA's registry

-- Runs the hooks, drains, and ends the loop; sessions are closed with `code`. `for_all`: the whole server stops, and
-- this process is the one to say so.
local function stop(opened, code, for_all)
  local net = require "sprylua.net"
  local timeout = opened.config.shutdownTimeout
  state.stopping = true
  -- A worker that is replaced has others who go on with what Redis has not had.
  state.deadline = code ~= SERVICE_RESTART and clock.now() + timeout or nil
  require("sprylua.health").isStopping = true
  -- A hook that never returns must not keep the process: the time to stop is for it and for the connections.
  local guard = clock.after(timeout, function() net.stop(0) end)
  coroutine.wrap(function()
    opened:stop(for_all)
    guard:cancel()
    require("sprylua.topic_record").finish()
    net.stop(timeout, code)
  end)()
end

local function signal_handler(opened)
  return function(name)
    if name == "HUP" then
      if not state.stopping then opened:reload() end
    elseif state.stopping then
      state.deadline = nil
      require("sprylua.net").stop(0)
    else
      log.info(("%s: stopping"):format(name))
      stop(opened, nil, true)
    end
  end
end

-- ── starting ────────────────────────────────────────────────────────────────

local advice = {
  EADDRINUSE = "another program has that port: stop it, or choose another one with -p (0: any free port)",
  EACCES = "this user may not use that port: choose one above 1023 with -p",
  EADDRNOTAVAIL = "this machine has no such address: choose another with -H",
}

local function cannot_listen(settings, message, errname)
  io.stderr:write(("sprylua: cannot listen on %s port %d: %s\n"):format(settings.host, settings.port,
    advice[errname] or message or errname))
  return 69
end

local function fail(problem, code)
  log.error(problem)
  return code
end

-- Runs in a coroutine, since onStart may wait. Returns the exit code when it failed.
local function start(opened, listening)
  if carrier then carrier.catch_up() end -- hooks may ask Redis
  local problem = listening.first and require("sprylua.cli.hooks").run(opened.loaded, "onAppStart")
  problem = problem or opened.generation:start()
  if problem then return fail(problem, 1) end
  if listening.prepare then listening.prepare() end
  if carrier then carrier.catch_up() end -- they may declare topics
  local settings = opened.config
  problem = require("sprylua.cli.room").problem(settings.limits)
  if problem then return fail(problem, 65) end
  local bound, message, errname = require("sprylua.net").serve(opened.loaded.core, {
    host = settings.host, port = settings.port, collector = settings.collector,
    cpuTime = settings.limits.cpuTime or nil, guard = message_handler.guard, memory = settings.limits.memory,
    descriptor = listening.descriptor, onSignal = listening.on_signal(opened),
  })
  if not bound then return cannot_listen(settings, message, errname) end
  if opened.loaded.metrics then opened.loaded.metrics:watch_loop() end
  state.listening = true
  if listening.watch then opened:watch(function() return state.stopping end) end
  listening.ready(announcement(opened, bound.host or settings.host, bound.port))
end

-- Before the project is loaded, for that declares its topics.
local function carry_over_redis(settings, server)
  if settings.redis and not carrier then
    carrier = require "sprylua.redis.carrier"
    carrier.start(settings.redis, server)
  end
end

-- Serves in this process. `listening` says on what, and what else there is to do.
local function serve(args, name, format, listening)
  listening.watch = args.watch or name == "dev"
  local opened, code = require("sprylua.cli.reload").open(args, {
    logAccess = format ~= "none", dev = name == "dev", websocket = not args.no_websocket,
    configured = function(settings) carry_over_redis(settings, listening.server) end,
  }, listening.config, listening.configPath, listening.watch)
  if not opened then return code end
  coroutine.wrap(function()
    state.code = start(opened, listening)
    -- Failed after a wait: the loop runs already, and a hook may have left timers on it.
    if state.code and state.looping then require("sprylua.net").stop(0) end
  end)()
  state.looping = true
  return state.code
end

-- ── one process, or several ─────────────────────────────────────────────────

local function alone(args, name, format, started, config, path)
  return serve(args, name, format, {
    config = config, configPath = path, first = true,
    on_signal = signal_handler,
    ready = function(text) announce(text, started, 1) end,
  })
end

-- It has served nobody.
local function give_up_starting()
  state.code = 0
  require("sprylua.net").stop(0)
end

-- As one of the workers of a supervisor. A terminal's INT and HUP are for that one: it tells us what it wants.
local function as_member(args, name, format, joined)
  require("sprylua.event").context.worker = joined.number
  local backbone = require "sprylua.backbone"
  backbone.on("dismiss", give_up_starting)
  backbone.on("alone", give_up_starting)
  return serve(args, name, format, {
    descriptor = require("sprylua.workers.member").LISTENER,
    first = joined.first,
    server = joined.server,
    prepare = function() joined:catch_up() end,
    on_signal = function(opened)
      local function leave(code, for_all)
        -- Not inside of what has told us: hooks run.
        clock.after(0, function()
          if not state.stopping then stop(opened, code, for_all) end
        end)
      end
      backbone.on("dismiss", function(code, scope) leave(math.tointeger(tonumber(code)), scope == "app") end)
      backbone.on("alone", leave)
      return function(signal)
        if signal == "TERM" then leave() end
      end
    end,
    ready = function(text) joined:ready(text) end,
  })
end

local function supervise(args, settings, started)
  local count = settings.workers == "auto" and uv.available_parallelism() or settings.workers
  local descriptors, port, errname = require("sprylua.net").reserve {
    host = settings.host, port = settings.port, count = count,
  }
  if not descriptors then return cannot_listen(settings, port, errname) end
  local supervisor = require("sprylua.workers.supervisor").start {
    arguments = require("sprylua.cli").arguments,
    descriptors = descriptors,
    timeout = settings.shutdownTimeout,
    check = function()
      local new = project.settings(args)
      if new then require("sprylua.cli.reload").say_what_stays({ "host", "port", "workers" }, settings, new) end
      return new ~= nil
    end,
    ready = function(text)
      state.listening = true
      announce(text, started, count)
    end,
    ended = function(code)
      state.code = code
      uv.stop()
    end,
  }
  local function on(signal, fn)
    local handle = uv.new_signal()
    handle:start(signal, fn)
    handle:unref()
  end
  local function stop_all(signal)
    if state.stopping then return supervisor:kill() end
    state.stopping = true
    log.info(signal:sub(4):upper() .. ": stopping")
    supervisor:stop()
  end
  on("sigterm", stop_all)
  on("sigint", stop_all)
  on("sighup", function() supervisor:reload() end)
end

function M.run(args, name)
  local started = clock.now()
  local format = setup_log(args)
  if not format then return 64 end
  local joined = os.getenv "SPRYLUA_WORKER" and require("sprylua.workers.member").join()
  if joined then return as_member(args, name, format, joined) end
  local settings, path = project.settings(args)
  if settings and settings.workers ~= 1 then return supervise(args, settings, started) end
  if not settings then return project.refuse(args, path) end
  return alone(args, name, format, started, settings, path)
end

-- Redis gets what it has not had of what was published. That of the last requests has a second, if there is no time
-- left. Returns whether the loop is to run for it.
local function flush()
  if not (carrier and state.deadline) or carrier.confirmed() then return false end
  local seconds = math.max(state.deadline - clock.now(), 1)
  state.deadline = nil
  coroutine.wrap(function()
    carrier.flush(seconds)
    require("sprylua.net").stop(0)
  end)()
  return true
end

function M.finish()
  if flush() then return nil end
  if carrier then carrier.leave() end
  if not state.code and not state.listening then
    log.error "onStart waits for something that will never come, so there is no server"
    return 1
  end
  return state.code or 0
end

return M
