-- Server-sent events (HTML Standard, section 9.2): one as text, and a stream of them that is kept alive.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local tasks = require "sprylua.tasks"

local M = {}

-- Proxies close what is silent for a minute or less; the standard's authoring notes say fifteen seconds.
local KEEP_ALIVE = 15

local text_of = core.eventText

---An event as text. Raises what is wrong with it at the line that calls whoever calls this.
---@param message string|number|{ event: string?, id: string?, retry: integer?, data: string?, comment: string? }
---@return string
function M.format(message)
  local text, problem = text_of(message)
  return text or error(problem, 3)
end

-- ── a stream of them ────────────────────────────────────────────────────────

---@class sprylua.EventStream one that is open
---@field write fun(chunk: string): boolean?, string?
---@field sending integer calls of `write` that wait
---@field silent integer full seconds since the last of them
local Stream = {}

-- One timer looks after all streams once a second. A timer for each would cost more than many a stream does, and so
-- would asking for the time with each event.
local open = {} ---@type table<sprylua.EventStream, true>
local watch ---@type table? what its timer belongs to; nil while none is running

-- While a `write` waits, the client has enough to read.
local function look_after(stream)
  stream.silent = stream.silent + 1
  if stream.silent >= KEEP_ALIVE and stream.sending == 0 then
    stream.silent = 0
    tasks.spawn(stream.write, ":\n\n")
  end
end

local function start_watch()
  local mine = { clock = clock.current() }
  watch = mine
  local function look()
    if watch ~= mine then
      return
    elseif not next(open) then
      watch = nil
      return
    end
    for stream in pairs(open) do
      look_after(stream)
    end
    clock.after(1, look)
  end
  clock.after(1, look)
end

local function new_stream(write)
  local stream = setmetatable({ write = write, sending = 0, silent = 0 }, Stream)
  open[stream] = true
  if not watch or watch.clock ~= clock.current() then
    start_watch()
  end
  return stream
end

function Stream:__close()
  open[self] = nil
end

-- Writes text to a stream.
local function sender(stream)
  local write = stream.write
  return function(text)
    stream.sending = stream.sending + 1
    local ok, problem = write(text)
    stream.sending, stream.silent = stream.sending - 1, 0
    return ok, problem
  end
end

---The producer of a stream of events, for Response.stream. While nothing is sent a comment goes out now and then: it
---keeps proxies from closing the connection, and tells that the client has gone.
---@param fn fun(send: fun(message: string|table): boolean?, string?)
---@return fun(write: fun(chunk: string): boolean?, string?)
function M.stream(fn)
  return function(write)
    local stream <close> = new_stream(write)
    local send = sender(stream)
    fn(function(message)
      local text, problem = text_of(message)
      if not text then
        error(problem, 2)
      end
      return send(text)
    end)
  end
end

---The same for events that are text already, as `format` makes them.
---@param fn fun(send: fun(text: string): boolean?, string?)
---@return fun(write: fun(chunk: string): boolean?, string?)
function M.texts(fn)
  return function(write)
    local stream <close> = new_stream(write)
    fn(sender(stream))
  end
end

return M
