-- What a session's `ws` has beside its C methods: JSON, and timers and tasks that end with the session. And the way to
-- other servers: `connect`.

local core = require "sprylua.core"
local json = require "sprylua.json"
local signal = require "sprylua.signal"
local tasks = require "sprylua.tasks"

local M = {}

-- What runs for a session, as a set; gone with its ws.
---@type table<table, table<table, true>>
local running = setmetatable({}, { __mode = "k" })

local function end_all(ws)
  local set = running[ws]
  running[ws] = nil
  for thing in next, set or {} do
    thing:cancel()
  end
end

local function keep(ws, thing)
  local set = running[ws]
  if not set then
    set = {}
    running[ws] = set
    core.topic.atClose(ws, function()
      end_all(ws)
    end)
  end
  for other in next, set do
    if other.cancelled or other.done then
      set[other] = nil
    end
  end
  set[thing] = true
  return thing
end

local function drop(ws, thing)
  local set = running[ws]
  if set and thing then
    set[thing] = nil
  end
end

-- What a ws that is closed starts: it is over already.
local over = setmetatable({ done = true, cancelled = true, cancel = function() end }, { __close = function() end })

local methods = {}
M.methods = methods

---Sends a value as JSON text. Answers as sendText does.
---@param value any
---@return boolean?, string?
function methods.sendJson(ws, value)
  local ok, text = pcall(json.encode, value)
  if not ok then
    error(text, 2)
  end
  return ws:sendText(text)
end

-- Who waits for a slow peer.
---@type table<table, sprylua.Signal>
local drained = setmetatable({}, { __mode = "k" })

local function signal_of(ws)
  local found = drained[ws]
  if not found then
    found = signal.new()
    drained[ws] = found
    core.websocket.whenDrained(ws, function()
      found:wake()
    end)
  end
  return found
end

---Waits until no more waits for the peer than should. Any number of coroutines may.
---@return true? flushed
---@return string? problem "closed"
function methods.flush(ws)
  local flushed, problem = core.websocket.flushed(ws)
  if flushed ~= false then
    return flushed, problem
  elseif not coroutine.isyieldable() then
    error("ws:flush waits, which takes a coroutine: spry.spawn(function() … end)", 2)
  end
  signal_of(ws):wait(function()
    flushed, problem = core.websocket.flushed(ws)
    return flushed ~= false
  end)
  return flushed, problem
end

---As spry.every, until the session ends. A tick that is interrupted ends the session with 1011.
---@param seconds number
---@param fn fun()
function methods.every(ws, seconds, fn)
  tasks.checkTimer("ws:every", seconds, 1, fn, 2)
  if ws.closed then
    return over
  end
  return keep(ws, tasks.repeating(seconds, fn, ws))
end

---As spry.after, unless the session ends before.
---@param seconds number
---@param fn fun()
function methods.after(ws, seconds, fn)
  tasks.checkTimer("ws:after", seconds, 0, fn, 2)
  if ws.closed then
    return over
  end
  local timer
  timer = tasks.after(seconds, function()
    drop(ws, timer)
    if not ws.closed then
      fn()
    end
  end)
  return keep(ws, timer)
end

---As spry.spawn; where it waits when the session ends, it ends too.
---@param fn function
function methods.spawn(ws, fn, ...)
  tasks.checkFunction("ws:spawn", fn, 2)
  if ws.closed then
    return over
  end
  return keep(ws, tasks.spawn(fn, ...))
end

---Methods of a ws in Lua, so that they say what is wrong when they are called with a point.
---@param unchecked table<string, function>
---@return table<string, function>
function M.checked(unchecked)
  local out = {}
  for name, method in pairs(unchecked) do
    out[name] = function(ws, ...)
      if not core.websocket.is(ws) then
        error(("a ws's methods are called with a colon, as in ws:%s(…)"):format(name), 2)
      end
      return method(ws, ...) -- a tail call: errors point at its caller
    end
  end
  return out
end

---Opens a WebSocket to a server; see sprylua.client.connect.
---@param url string
---@param opts sprylua.client.Options?
---@return sprylua.client.WebSocket? ws
---@return string? message
---@return sprylua.client.Answer? answer
function M.connect(url, opts)
  return require("sprylua.client.connect")(url, opts) -- a tail call: errors point at its caller
end

return M
