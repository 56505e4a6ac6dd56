-- How messages lie in a stream of bytes: each is a list of strings, behind its length.

local M = {}

local LENGTH = 4 -- bytes in which a length is written

---@param ... string
---@return string
function M.encode(...)
  local parts = { ... }
  for i, part in ipairs(parts) do
    parts[i] = string.pack("<s4", part)
  end
  return string.pack("<s4", table.concat(parts))
end

local function decode(message)
  local parts, at = {}, 1
  while at <= #message do
    parts[#parts + 1], at = string.unpack("<s4", message, at)
  end
  return parts
end

---@class sprylua.MessageReader what has come of a stream, and the messages in it
---@field private bytes string
---@field private at integer where in that the next message begins
---@field private more string[] what has come after it
---@field private held integer bytes that were not taken, in both
---@field private wanted integer bytes of the next message, its length included, as far as that is known
local Reader = {}
Reader.__index = Reader

---@param bytes string
function Reader:add(bytes)
  self.more[#self.more + 1], self.held = bytes, self.held + #bytes
end

-- Whether the bytes that are wanted have come; then they are in one piece.
local function is_whole(self)
  if self.held < self.wanted then
    return false
  end
  if #self.bytes - self.at + 1 < self.wanted then
    self.bytes, self.at, self.more = self.bytes:sub(self.at) .. table.concat(self.more), 1, {}
  end
  return true
end

---Takes the next message.
---@return string[]? parts nil when it has not come as a whole
function Reader:next()
  if not is_whole(self) then
    return nil
  end
  self.wanted = LENGTH + string.unpack("<I4", self.bytes, self.at)
  if not is_whole(self) then
    return nil
  end
  local message = self.bytes:sub(self.at + LENGTH, self.at + self.wanted - 1)
  self.at, self.held, self.wanted = self.at + self.wanted, self.held - self.wanted, LENGTH
  if self.at > #self.bytes then
    self.bytes, self.at = "", 1
  end
  return decode(message)
end

---@return sprylua.MessageReader
function M.reader()
  return setmetatable({ bytes = "", at = 1, more = {}, held = 0, wanted = LENGTH }, Reader)
end

return M
