-- A pipe between the supervisor and one worker: lists of strings, whole and in order. A message is written when it is
-- sent, before its sender can answer anybody: who hears of the one can rely on the other. A side that takes nothing
-- more, while more and more is sent to it, is given up.

local uv = require "luv"

local M = {}

local MOST = 64 << 20 -- bytes that may wait for the other side

---@class sprylua.Link
---@field private pipe table luv's
---@field private input string[] what is not a whole message yet
---@field private held integer bytes of that
---@field private wanted integer bytes that the next message has, its length included; 4 before that is known
---@field private receive fun(...: string)
---@field private over fun(why: "ended"|"stuck")
local Link = {}
Link.__index = Link

local function finish(self, why)
  if not self.pipe:is_closing() then
    self.pipe:close()
    self.over(why)
  end
end

---Sends a message.
---@param ... string
function Link:send(...)
  if self.pipe:is_closing() then
    return
  end
  local parts = { ... }
  for i, part in ipairs(parts) do
    parts[i] = string.pack("<s4", part)
  end
  self.pipe:write(string.pack("<s4", table.concat(parts)))
  if self.pipe:get_write_queue_size() > MOST then
    finish(self, "stuck")
  end
end

---Ends it, without telling `over`.
function Link:close()
  self.over = function() end
  finish(self, "ended")
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
  while #bytes - at + 1 >= 4 and not self.pipe:is_closing() do
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
---@param over fun(why: "ended"|"stuck") called once: the other side is gone, or takes nothing more
---@return sprylua.Link
function M.open(descriptor, receive, over)
  local self = setmetatable({
    pipe = uv.new_pipe(false), input = {}, held = 0, wanted = 4, receive = receive, over = over,
  }, Link)
  self.pipe:open(descriptor)
  self.pipe:read_start(function(problem, bytes)
    if problem or not bytes then
      return finish(self, "ended")
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
