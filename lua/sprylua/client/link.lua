-- A client's WebSocket after its handshake: the protocol (core.endpoint) and the socket, brought together, with
-- liveness, bounds and the closing handshake. It knows nothing of who reads, so that a `ws` which was forgotten can be
-- collected: luv holds the link, the link does not hold its ws.

local clock = require "sprylua.clock"
local waiter = require "sprylua.client.waiter"

-- As the server has them (src/core/limits.h, session.c).
local INPUT_MARK, OUTPUT_MARK = 64 * 1024, 64 * 1024 -- bytes that wait before somebody has to
local GRACE = 1 -- seconds in which a session should see the peer's Close, before it is answered anyhow
local CLOSE_TIMEOUT = 5 -- seconds for the peer to close the connection when all is said

---@class sprylua.client.Link
---@field reader sprylua.client.Waiter who waits for messages
---@field writer sprylua.client.Waiter who waits for room
---@field private endpoint table
---@field private socket sprylua.client.Socket
---@field private gone boolean the connection is closed
---@field private abandoned boolean nobody will read any more
---@field private code integer? of a close event that nobody took
---@field private reason string?
local Link = { __name = "sprylua.client.Link" }
Link.__index = Link

local M = {}

local function cancel(self, name)
  if self[name] then
    self[name]:cancel()
    self[name] = nil
  end
end

-- ── the end ─────────────────────────────────────────────────────────────────

-- Nothing comes or goes from here on.
local function drop(self)
  self.gone = true
  cancel(self, "pulse")
  cancel(self, "ending")
  self.socket:close()
  self.endpoint:lost()
end

-- The peer has gone, or is taken for gone. Only the loop may call this.
local function lose(self)
  if not self.gone then
    drop(self)
    self.reader:wake()
    self.writer:wake()
  end
end

-- All is said: the peer is to close the connection. What is still being sent to it gets its time.
local function await_the_peer(self)
  local queued = self:queued()
  self.ending = clock.after(CLOSE_TIMEOUT, function()
    if self:queued() < queued then
      return await_the_peer(self)
    end
    lose(self)
  end)
end

-- The closing handshake has a time for each of its halves: the peer's Close is here; ours has been sent.
local function mind_the_end(self)
  local half = self.endpoint:closed() and "closed" or self.endpoint:ended() and "ended"
  if self.gone or not half or half == self.half then
    return
  end
  self.half = half
  cancel(self, "ending")
  if half == "closed" then
    return await_the_peer(self)
  end
  self.ending = clock.after(GRACE, function()
    self.endpoint:release()
    self:flush()
  end)
end

-- ── bytes out ───────────────────────────────────────────────────────────────

---Sends what the endpoint has put together.
function Link:flush()
  local bytes = self.endpoint:take()
  if bytes ~= "" and not self.gone then
    self.socket:write(bytes, function(problem)
      if problem then
        lose(self)
      elseif self:queued() <= OUTPUT_MARK then
        self.writer:wake()
      end
    end)
  end
  mind_the_end(self)
end

---Bytes that wait for the peer.
---@return integer
function Link:queued()
  return self.socket:queued()
end

---Whether a writer need not wait.
---@return boolean
function Link:hasRoom()
  return self.gone or self:queued() <= OUTPUT_MARK
end

---@return boolean
function Link:isGone()
  return self.gone
end

---Whether nothing can be sent any more.
---@return boolean
function Link:isClosed()
  return self.endpoint:closed()
end

-- Answers as sendText does.
local function sent(self, ok, message)
  self:flush()
  if not ok then
    return nil, message
  end
  return self:hasRoom()
end

---`method` is the endpoint's: "sendText" or "sendBinary". A peer that takes too little is closed with 1013.
---@param method string
---@param payload string
---@return boolean? sent
---@return string? message
function Link:send(method, payload)
  if self:queued() > self.maxBuffered then
    self:close(1013, "too slow")
  end
  return sent(self, self.endpoint[method](self.endpoint, payload))
end

---@param data string?
---@return boolean?, string?
function Link:ping(data)
  return sent(self, self.endpoint:ping(data))
end

---@param code integer?
---@param reason string?
---@return boolean?, string?
function Link:close(code, reason)
  return sent(self, self.endpoint:close(code, reason))
end

-- ── bytes in ────────────────────────────────────────────────────────────────

local function drop_messages(self)
  for kind, code, reason in self.endpoint.next, self.endpoint do
    if kind == "close" then
      self.code, self.reason = code, reason -- for who may be waiting all the same
    end
  end
end

local function resume(self)
  if not self.socket.reading then
    self.heard = clock.now()
    self.socket:resume()
  end
end

local function take(self, bytes)
  if not bytes then
    return lose(self)
  end
  self.heard = clock.now()
  self.endpoint:feed(bytes)
  if self.abandoned then
    drop_messages(self)
  end
  self:flush()
  if self.endpoint:waiting() >= INPUT_MARK then
    self.socket:pause()
  end
  self.reader:wake()
end

---The next event, as endpoint:next() gives it.
function Link:next()
  local kind, data, reason = self.endpoint:next()
  if not kind then
    return self.code and "close", self.code, self.reason
  end
  self:flush() -- a pong, or the answer to a Close
  if self.endpoint:waiting() < INPUT_MARK then
    resume(self)
  end
  return kind, data, reason
end

---Nobody reads any more: the closing handshake goes on by itself, if it has begun, else the connection is dropped.
function Link:abandon()
  if self.gone then
    return
  elseif not self.endpoint:closed() then
    return drop(self)
  end
  self.abandoned = true
  drop_messages(self)
  self:flush()
  resume(self)
end

---Nobody holds the ws any more, says a finalizer, which may run in the middle of anything: the rest is the loop's.
function Link:forget()
  if self.gone or self.abandoned then
    return
  end
  self.socket:soon(function()
    self:close(1001)
    self:abandon()
  end)
end

-- ── liveness ────────────────────────────────────────────────────────────────

-- A peer can't be heard while its socket is not read.
local function beat(self)
  local now = clock.now()
  if not self.socket.reading then
    self.heard = now
  end
  local silent_at = self.heard + self.deadAfter
  if now >= silent_at then
    return lose(self)
  end
  local ping_at = math.max(self.heard, self.pinged) + self.pingInterval
  if now >= ping_at then
    self.pinged = now
    self:ping()
    ping_at = now + self.pingInterval
  end
  self.pulse = clock.after(math.min(silent_at, ping_at) - now, function()
    beat(self)
  end)
end

---@class sprylua.client.LinkOptions
---@field maxMessage integer
---@field maxBuffered integer
---@field pingInterval number
---@field deadAfter number

---@param endpoint table core.endpoint
---@param socket sprylua.client.Socket
---@param opts sprylua.client.LinkOptions
---@param early string what came behind the handshake
---@return sprylua.client.Link
function M.new(endpoint, socket, opts, early)
  local now = clock.now()
  local self = setmetatable({
    endpoint = endpoint,
    socket = socket,
    reader = waiter.new(),
    writer = waiter.new(),
    maxBuffered = opts.maxBuffered,
    pingInterval = opts.pingInterval,
    deadAfter = opts.deadAfter,
    heard = now,
    pinged = now,
    gone = false,
    abandoned = false,
  }, Link)
  socket:read(function(bytes)
    take(self, bytes)
  end)
  if early ~= "" then
    take(self, early)
  end
  beat(self)
  return self
end

return M
