-- `sprylua serve` and `sprylua dev`: load, run onStart, listen; on a signal run onStop, drain, stop.

local uv = require "luv"
local clock = require "sprylua.clock"
local log = require "sprylua.log"
local project = require "sprylua.cli.project"

local M = {}

local state = {
  code = nil, -- what the process will end with, once that is known
  listening = false, -- net.serve has succeeded
  stopping = false, -- the first TERM or INT has come
}

function M.summary(name)
  if name == "dev" then return "Serve with error details in the answers." end
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
  parser:option("-w --workers", "How many processes serve; there is one for now."):argname("N")
  parser:option("--log", "The access log on stdout: text, json or none (default: text)."):argname("FORMAT")
  parser:flag("--no-websocket", "Answer WebSocket handshakes with 501.")
end

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

local function announce(opened, host, port, started)
  local lines = project.table_lines(opened.loaded.routes, "  ")
  local found = beside(opened)
  if #found > 0 then lines[#lines + 1] = "with " .. table.concat(found, ", ") end
  for _, warning in ipairs(opened.loaded.warnings or {}) do lines[#lines + 1] = "warning: " .. tostring(warning) end
  local milliseconds = (clock.now() - started) * 1000
  lines[#lines + 1] = ("sprylua listens on %s (started in %.0f ms)"):format(url(host, port), milliseconds)
  io.stderr:write(table.concat(lines, "\n"), "\n")
end

-- ── stopping ────────────────────────────────────────────────────────────────

local function run_hook(hook, name, ...)
  if not hook then return true end
  local ok, problem = xpcall(hook, function(cause) return debug.traceback(tostring(cause), 2) end, ...)
  if not ok then log.error(("%s raised: %s"):format(name, problem)) end
  return ok
end

local function stop(opened, net)
  state.stopping = true
  local timeout = opened.config.shutdownTimeout
  -- A hook that never returns must not keep the process: the time to stop is for it and for the connections.
  local guard = clock.after(timeout, function() net.stop(0) end)
  coroutine.wrap(function()
    run_hook(opened.loaded.hooks and opened.loaded.hooks.onStop, "onStop", opened.config)
    guard:cancel()
    require("sprylua.topic_record").finish()
    net.stop(timeout)
  end)()
end

local function signal_handler(opened, net)
  return function(name)
    if name == "HUP" then
      log.warn "HUP: routes are read at start only, so restart the server to take over changes"
    elseif state.stopping then
      net.stop(0)
    else
      log.info(("%s: stopping"):format(name))
      stop(opened, net)
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

-- Runs in a coroutine, since onStart may wait. Returns the exit code when it failed.
local function start(opened, started)
  if not run_hook(opened.loaded.hooks and opened.loaded.hooks.onStart, "onStart", opened.config) then return 1 end
  local net = require "sprylua.net"
  local settings = opened.config
  local bound, message, errname = net.serve(opened.loaded.core, {
    host = settings.host, port = settings.port, collector = settings.collector, onSignal = signal_handler(opened, net),
  })
  if not bound then return cannot_listen(settings, message, errname) end
  state.listening = true
  announce(opened, bound.host or settings.host, bound.port, started)
end

function M.run(args, name)
  local started = clock.now()
  local format = setup_log(args)
  if not format then return 64 end
  local opened, code = project.open(args, {
    logAccess = format ~= "none", dev = name == "dev", websocket = not args.no_websocket,
  })
  if not opened then return code end
  coroutine.wrap(function()
    state.code = start(opened, started)
    -- Failed after a wait: the loop runs already, and a hook may have left timers on it.
    if state.code and state.looping then require("sprylua.net").stop(0) end
  end)()
  state.looping = true
  return state.code
end

function M.finish()
  if not state.code and not state.listening then
    log.error "onStart waits for something that will never come, so there is no server"
    return 1
  end
  return state.code or 0
end

return M
