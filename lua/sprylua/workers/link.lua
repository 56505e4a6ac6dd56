-- A pipe between the supervisor and one worker: lists of strings, whole and in order. What is sent in one turn of the
-- loop goes out in one write.

local uv = require "luv"

local M = {}

---@class sprylua.Link
---@field private pipe table luv's
---@field private out string[] what waits for the end of this turn
---@field private input string[] what is not a whole message yet
---@field private held integer bytes of that
---@field private wanted integer bytes that the next message has, its length included; 4 before that is known
---@field private receive fun(...: string)
---@field private over fun()
---@field private soon table a timer
local Link = {}
Link.__index = Link

local function finish(self)
  if self.soon then
    self.soon:close()
    self.pipe:close()
    self.soon = nil
    self.over()
  end
end

local function flush(self)
  local bytes = table.concat(self.out)
  self.out = {}
  self.pipe:write(bytes)
end

---Sends a message.
---@param ... string
---@return boolean sent false: the other side is gone
function Link:send(...)
  if not self.soon then
    return false
  end
  local parts = { ... }
  for i, part in ipairs(parts) do
    parts[i] = string.pack("<s4", part)
  end
  if #self.out == 0 then
    self.soon:start(0, 0, function()
      flush(self)
    end)
  end
  self.out[#self.out + 1] = string.pack("<s4", table.concat(parts))
  return true
end

---How many bytes the other side has not taken yet.
---@return integer
function Link:queued()
  return self.soon and self.pipe:get_write_queue_size() or 0
end

---Ends it, without telling `over`.
function Link:close()
  self.over = function() end
  finish(self)
end

local function deliver(self, message)
  local parts, at = {}, 1
  while at <= #message do
    parts[#parts + 1], at = string.unpack("<s4", message, at)
  end
  self.receive(table.unpack(parts))
end

-- Everything that has come, from the first message that is not whole on.
local function take(self)
  local bytes, at = table.concat(self.input), 1
  while #bytes - at + 1 >= 4 and self.soon do
    local size = 4 + string.unpack("<I4", bytes, at)
    if #bytes - at + 1 < size then
      self.wanted = size
      break
    end
    deliver(self, bytes:sub(at + 4, at + size - 1))
    at, self.wanted = at + size, 4
  end
  local rest = bytes:sub(at)
  self.input, self.held = { rest }, #rest
end

---@param descriptor integer of a socket, which the link owns from here on
---@param receive fun(...: string) called with each message
---@param over fun() called once, when the other side is gone
---@return sprylua.Link
function M.open(descriptor, receive, over)
  local self = setmetatable({
    pipe = uv.new_pipe(false), soon = uv.new_timer(), out = {}, input = {}, held = 0, wanted = 4,
    receive = receive, over = over,
  }, Link)
  self.pipe:open(descriptor)
  self.pipe:read_start(function(problem, bytes)
    if problem or not bytes then
      return finish(self)
    end
    self.input[#self.input + 1] = bytes
    self.held = self.held + #bytes
    if self.held >= self.wanted then
      take(self)
    end
  end)
  return self
end

return M
