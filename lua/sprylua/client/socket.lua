-- A TCP connection to a server, over luv. Opening it waits; reading and writing call back.

local uv = require "luv"
local waiter = require "sprylua.client.waiter"
local tasks = require "sprylua.tasks"

---@class sprylua.client.Socket
---@field private tcp table luv's
---@field private onBytes fun(bytes: string?) nil: the connection has ended
local Socket = { __name = "sprylua.client.Socket" }
Socket.__index = Socket

local M = {}

-- Closes what luv has opened, at most once.
local function close(handle)
  if not handle:is_closing() then
    handle:close()
  end
end

local SENTENCES = {
  ECONNREFUSED = "nobody listens there",
  ECONNRESET = "it was reset",
  EHOSTUNREACH = "there is no way to that host",
  ENETUNREACH = "there is no way to that network",
  ETIMEDOUT = "that host does not answer",
  EMFILE = "this process has too many files and sockets open",
  EAI_NONAME = "nobody has that name",
  EAI_NODATA = "that name has no address",
  EAI_AGAIN = "the name server does not answer",
}

-- luv gives the name of an error alone, or before a sentence.
local function say(problem)
  local name = tostring(problem):match("^E[%u_%d]+")
  return SENTENCES[name] and ("%s (%s)"):format(SENTENCES[name], name) or tostring(problem)
end

-- The result of one luv call that calls back with (problem, result). `left()` says how many seconds there are.
local function await(what, left, call)
  local place = waiter.new()
  local done, problem, result = false, nil, nil
  local request, refused = call(function(...)
    done, problem, result = true, ...
    place:wake()
  end)
  if not request then
    return nil, say(refused)
  end
  local _ <close> = tasks.defer(function()
    if not done and type(request) == "userdata" then
      uv.cancel(request) -- a lookup; a connection's is cancelled with its handle
    end
  end)
  if not place:wait(what, function() return done end, left()) then
    return nil, "timeout"
  elseif problem then
    return nil, say(problem)
  end
  return result or true
end

local function lookup(host, what, left)
  return await(what, left, function(back)
    return uv.getaddrinfo(host, nil, { socktype = "stream" }, back)
  end)
end

local function open(address, port, what, left)
  local tcp <const>, problem = uv.new_tcp()
  if not tcp then
    return nil, say(problem)
  end
  local opened = false
  local _ <close> = tasks.defer(function()
    if not opened then
      close(tcp)
    end
  end)
  local ok, message = await(what, left, function(back)
    return tcp:connect(address, port, back)
  end)
  if not ok then
    return nil, message
  end
  opened = true
  tcp:nodelay(true)
  return setmetatable({ tcp = tcp }, Socket)
end

---Connects to the first address of `host` that answers.
---@param host string a name or an address
---@param port integer
---@param what string who waits, for messages
---@param left fun(): number seconds that there are
---@return sprylua.client.Socket? socket
---@return string? message
function M.open(host, port, what, left)
  local list, problem = lookup(host, what, left)
  if not list then
    return nil, problem == "timeout" and problem or ("the host %s was not found: %s"):format(host, problem)
  end
  local socket
  for _, entry in ipairs(list) do
    socket, problem = open(entry.addr, port, what, left)
    if socket or problem == "timeout" then
      return socket, problem
    end
  end
  return nil, ("no connection to %s, port %d: %s"):format(host, port, problem or "it has no address")
end

---What comes goes to `onBytes`, which gets nil when nothing more can come. Another call replaces it.
---@param onBytes fun(bytes: string?)
function Socket:read(onBytes)
  self.onBytes = onBytes
  if not self.reading then
    self:resume()
  end
end

function Socket:resume()
  if self.reading or self.tcp:is_closing() then
    return
  end
  self.reading = true
  self.tcp:read_start(function(problem, bytes)
    self.onBytes(not problem and bytes or nil)
  end)
end

---Finds out by itself that the peer has vanished, when nothing has been said for `seconds`.
---@param seconds integer
function Socket:keepalive(seconds)
  self.tcp:keepalive(true, seconds)
end

---Stops reading, so that the peer has to wait.
function Socket:pause()
  if self.reading and not self.tcp:is_closing() then
    self.reading = false
    self.tcp:read_stop()
  end
end

---Sends all of `bytes`, and calls back when they are gone, or cannot go.
---@param bytes string
---@param back fun(problem: any)
function Socket:write(bytes, back)
  if not self.tcp:is_closing() then
    self.tcp:write(bytes, back)
  end
end

---Bytes that were not sent yet.
---@return integer
function Socket:queued()
  return self.tcp:is_closing() and 0 or self.tcp:get_write_queue_size()
end

---Calls `fn` from the loop, unless that is ending.
---@param fn fun()
function Socket:soon(fn)
  local timer = not self.tcp:is_closing() and uv.new_timer()
  if timer then
    timer:start(0, 0, function()
      close(timer)
      fn()
    end)
  end
end

function Socket:close()
  close(self.tcp)
end

Socket.__close = Socket.close

return M
