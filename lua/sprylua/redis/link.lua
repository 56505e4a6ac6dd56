-- The way to a Redis server: a socket, TLS where the address wants it, and the protocol. Commands that are given one
-- after the other go out together; what comes goes to one function, in order. Nothing is believed of the server: what
-- is not Redis' protocol, or goes beyond a bound, ends the link.

local clock = require "sprylua.clock"
local log = require "sprylua.log"
local resp = require "sprylua.resp"
local sockets = require "sprylua.client.socket"
local tasks = require "sprylua.tasks"

local M = {}

local MOST_UNSENT = 64 << 20 -- bytes that may wait until the server takes them
local KEEPALIVE = 15 -- seconds of silence after which the system asks whether it is still there

---@class sprylua.redis.Link
---@field private receive fun(kind: string, value: any)
---@field private reader table of sprylua.resp
---@field private socket sprylua.client.Socket? nil until it is connected
---@field private session table? of sprylua.tls
---@field private ready boolean commands can be sent
---@field private over boolean
---@field private parts string[] commands that were not handed to the socket
---@field private size integer bytes of those
---@field private flushing sprylua.Timer?
---@field private opening sprylua.Task?
local Link = { __name = "sprylua.redis.Link" }
Link.__index = Link

-- ── the end ─────────────────────────────────────────────────────────────────

-- A mistake of whoever is told does not keep the next answer from being told.
local function tell(self, kind, value)
  local ok, raised = xpcall(self.receive, debug.traceback, kind, value)
  if not ok then
    log.error("an answer of Redis can't be dealt with: " .. log.escape(tostring(raised)))
  end
end

-- Sends without a word about what becomes of it.
local function send_last(self, bytes)
  if bytes ~= "" then
    self.socket:write(bytes, function() end)
  end
end

---It is over at once, and nothing is heard of it any more.
function Link:close()
  if self.over then
    return
  end
  self.over, self.ready, self.parts, self.size = true, false, {}, 0
  if self.flushing then
    self.flushing:cancel()
  end
  if self.opening then
    self.opening:cancel()
  end
  if self.socket then
    if self.session then
      self.session:close()
      send_last(self, self.session:take())
    end
    self.socket:close()
  end
end

local function finish(self, problem)
  if not self.over then
    self:close()
    tell(self, "ended", problem)
  end
end

-- Memory may run out anywhere. Then nobody knows what was sent or heard, so the link is over.
local function protected(fn, self, ...)
  local ok, raised = pcall(fn, self, ...)
  if not ok then
    finish(self, tostring(raised))
  end
end

-- ── bytes out ───────────────────────────────────────────────────────────────

local function write(self, bytes)
  if bytes ~= "" then
    self.socket:write(bytes, function(problem)
      if problem then
        finish(self, "what was to be sent can't be sent")
      end
    end)
  end
end

local function send_parts(self)
  local bytes, problem = table.concat(self.parts), nil
  self.parts, self.size = {}, 0
  if self.session then
    problem = self.session:write(bytes)
    bytes = self.session:take()
  end
  write(self, bytes)
  if problem then
    finish(self, problem)
  end
end

---Sends what waits.
function Link:flush()
  if self.ready and #self.parts > 0 then
    protected(send_parts, self)
  end
end

local function flush_soon(self)
  if self.ready and not self.flushing then
    self.flushing = clock.after(0, function()
      self.flushing = nil
      self:flush()
    end)
  end
end

-- A command as the protocol has it.
local function written(...)
  local words = { ... }
  for i, word in ipairs(words) do
    words[i] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  return ("*%d\r\n%s"):format(#words, table.concat(words))
end

---Gives a command; before the link is ready it waits for that. Raises when memory runs out, and has not sent it then.
---@param ... string
---@return boolean sent
---@return string? problem
function Link:send(...)
  if self.over then
    return false
  end
  local text = written(...)
  local unsent = self.size + (self.socket and self.socket:queued() or 0)
  if unsent > 0 and unsent + #text > MOST_UNSENT then
    return false, "Redis does not take what it is sent"
  end
  flush_soon(self)
  self.parts[#self.parts + 1] = text
  self.size = self.size + #text
  return true
end

-- ── bytes in ────────────────────────────────────────────────────────────────

local function hear(self, bytes)
  self.reader:feed(bytes)
  repeat
    local kind, value = self.reader:next()
    if kind then
      tell(self, kind, value)
    elseif value then
      finish(self, value)
    end
  until not kind or self.over
end

local function become_ready(self)
  if not self.ready then
    self.ready = true
    flush_soon(self)
  end
end

-- What was said before the end counts.
local function hear_encrypted(self, bytes)
  local plain, problem = self.session:feed(bytes)
  write(self, self.session:take())
  if self.session:ready() then
    become_ready(self)
  end
  hear(self, plain)
  if problem then
    finish(self, problem)
  end
end

local function take(self, bytes)
  if self.over then
    return
  elseif not bytes then
    finish(self, "the connection was closed")
  else
    protected(self.session and hear_encrypted or hear, self, bytes)
  end
end

-- ── coming to be ────────────────────────────────────────────────────────────

-- OpenSSL does not say that it can't read this one.
local function unreadable_authorities()
  local path = os.getenv "SSL_CERT_FILE" or ""
  local file, problem = io.open(path, "rb")
  if file then
    file:close()
  elseif path ~= "" then
    return "SSL_CERT_FILE can't be read: " .. problem
  end
end

-- OpenSSL takes a name without the dot that a name server takes.
local function new_session(host)
  local unreadable = unreadable_authorities()
  if unreadable then
    return nil, unreadable
  end
  local ok, session = pcall(function()
    return require("sprylua.redis.tls").client((host:gsub("%.$", "")))
  end)
  if ok then
    return session
  end
  return nil, tostring(session)
end

-- Runs in a coroutine, which waits for the connection.
local function open(self, address, seconds)
  local due = clock.now() + seconds
  local socket, problem = sockets.open(address.host, address.port, "Redis", function()
    return math.max(0, due - clock.now())
  end)
  self.socket, self.opening = socket, nil
  if not socket then
    return finish(self, problem == "timeout" and "it does not answer" or problem)
  end
  socket:keepalive(KEEPALIVE)
  if address.tls then
    self.session, problem = new_session(address.host)
    if problem then
      return finish(self, problem)
    end
  end
  socket:read(function(bytes)
    take(self, bytes)
  end)
  if self.session then
    write(self, self.session:take())
  else
    become_ready(self)
  end
end

---Opens a link. `receive` gets a kind and a value for each answer (`sprylua.resp`), and at last "ended" and a message,
---unless it was closed.
---@param address sprylua.redis.Address
---@param seconds number that connecting may take
---@param receive fun(kind: string, value: any)
---@return sprylua.redis.Link
function M.open(address, seconds, receive)
  local self = setmetatable({
    receive = receive, reader = resp.reader(), ready = false, over = false, parts = {}, size = 0,
  }, Link)
  local task = tasks.spawn(open, self, address, seconds)
  self.opening = not task.done and task or nil
  return self
end

return M
