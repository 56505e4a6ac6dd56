-- Server-sent events (HTML Standard, section 9.2): one as text, and a stream of them that is kept alive.

local clock = require "sprylua.clock"
local tasks = require "sprylua.tasks"

local M = {}

-- Proxies close what is silent for a minute or less; the standard's authoring notes say fifteen seconds.
local KEEP_ALIVE = 15

local FIELDS = { event = true, id = true, retry = true, data = true, comment = true }

local function line(name, value)
  if value == nil then
    return ""
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error(("an event's %s is a string, not a %s"):format(name, type(value)), 4)
  elseif tostring(value):find("[\r\n\0]") then
    error(("an event's %s has no line breaks or NULs in it"):format(name), 4)
  end
  return name .. ": " .. value .. "\n"
end

local function data_lines(data)
  if type(data) ~= "string" and type(data) ~= "number" then
    error(("an event's data is a string, not a %s; spry.json.encode makes one of a table"):format(type(data)), 4)
  end
  -- The three line ends that a browser knows; each line is a field of its own and comes out joined by "\n".
  data = tostring(data):gsub("\r\n?", "\n")
  return "data: " .. data:gsub("\n", "\ndata: ") .. "\n"
end

-- Browsers skip these lines.
local function comment_lines(text)
  return text == "" and ":\n" or (": " .. text:gsub("\r\n?", "\n"):gsub("\n", "\n: ") .. "\n")
end

---@param message string|number|{ event: string?, id: string?, retry: integer?, data: string?, comment: string? }
---@return string
function M.format(message)
  if type(message) ~= "table" then
    local text = data_lines(message) .. "\n"
    return text
  end
  for key in pairs(message) do
    if not FIELDS[key] then
      error(("an event has event, id, retry, data and comment, not %s"):format(tostring(key)), 3)
    end
  end
  if message.retry ~= nil and (math.type(message.retry) ~= "integer" or message.retry < 0) then
    error("an event's retry is a whole number of milliseconds", 3)
  end
  if message.comment ~= nil and type(message.comment) ~= "string" then
    error(("an event's comment is a string, not a %s"):format(type(message.comment)), 3)
  end
  return (message.comment and comment_lines(message.comment) or "")
    .. line("event", message.event) .. line("id", message.id) .. line("retry", message.retry)
    .. (message.data ~= nil and data_lines(message.data) or "") .. "\n"
end

-- Calls `speak` whenever `KEEP_ALIVE` seconds have passed since the last call of what it returns first. The second is
-- closable, and ends that.
local function when_silent(speak)
  local last, timer = clock.now(), nil
  local function look()
    local left = last + KEEP_ALIVE - clock.now()
    if left <= 0 then
      speak()
      last, left = clock.now(), KEEP_ALIVE
    end
    timer = clock.after(left, look)
  end
  look()
  return function()
    last = clock.now()
  end, tasks.defer(function()
    timer:cancel()
  end)
end

---The producer of a stream of events, for Response.stream. While nothing is sent a comment goes out now and then: it
---keeps proxies from closing the connection, and tells that the client has gone.
---@param fn fun(send: fun(message: string|table): boolean?, string?)
---@return fun(write: fun(chunk: string): boolean?, string?)
function M.stream(fn)
  return function(write)
    local waiting = 0
    local heard, timer = when_silent(function()
      if waiting == 0 then
        tasks.spawn(write, ":\n\n")
      end
    end)
    local _ <close> = timer
    fn(function(message)
      local text = M.format(message)
      heard()
      waiting = waiting + 1
      local ok, problem = write(text)
      waiting = waiting - 1
      return ok, problem
    end)
  end
end

return M
