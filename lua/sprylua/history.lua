-- The last messages of a topic, each with an id, so that whoever was away can be told what he missed, or that it is
-- gone. An id is `epoch:offset`: the epoch is random for each history, so that an id of another process, or of one
-- that has restarted since, is never taken for one of ours; offsets count from 1.

local identity = require "sprylua.identity"
local json = require "sprylua.json"

local M = {}

---@class sprylua.History
---@field epoch string
---@field first integer offset of the oldest message that is kept; last + 1 when none is
---@field last integer offset of the newest, 0 before the first
local History = {}
History.__index = History

---@param count integer messages that are kept at most
---@param bytes integer bytes of them at most
---@return sprylua.History
function M.new(count, bytes)
  return setmetatable({
    epoch = identity.new(), count = count, bytes = bytes, first = 1, last = 0,
    size = 0, -- bytes that are kept
    texts = {}, -- by offset
    encoded = {}, -- offset → true for those that are JSON already, and no text of the user's
  }, History)
end

local function drop_first(self)
  local at = self.first
  self.size = self.size - #self.texts[at]
  self.texts[at], self.encoded[at] = nil, nil
  self.first = at + 1
end

local function trim(self)
  while self.first <= self.last and (self.last - self.first >= self.count or self.size > self.bytes) do
    drop_first(self)
  end
end

---Other bounds from now on.
---@param count integer
---@param bytes integer
function History:resize(count, bytes)
  self.count, self.bytes = count, bytes
  trim(self)
end

---@param text string
---@param encoded boolean whether it is JSON
---@return integer offset
function History:add(text, encoded)
  local offset = self.last + 1
  self.last = offset
  self.texts[offset], self.encoded[offset] = text, encoded or nil
  self.size = self.size + #text
  trim(self)
  return offset
end

---@param offset integer? the last one's
---@return string
function History:id(offset)
  return self.epoch .. ":" .. (offset or self.last)
end

---The message as it was published; nil when it is not kept.
---@param offset integer
---@return string?
function History:text(offset)
  return self.texts[offset]
end

---Whether the message was published as a value, and is JSON as it stands.
---@param offset integer
---@return boolean
function History:is_encoded(offset)
  return self.encoded[offset] == true
end

---Forgets everything, and goes on as a history with that epoch whose next message will have the offset `first`.
---@param epoch string
---@param first integer
function History:restart(epoch, first)
  self.epoch, self.first, self.last, self.size = epoch, first, first - 1, 0
  self.texts, self.encoded = {}, {}
end

---The same as a JSON value.
---@param offset integer
---@return string?
function History:json(offset)
  local text = self.texts[offset]
  return text and (self.encoded[offset] and text or json.encode(text))
end

---Whether everything behind `offset` is still kept.
---@param offset integer
---@return boolean
function History:reaches(offset)
  return offset >= self.first - 1 and offset <= self.last
end

-- The offset of an id of this epoch.
local function offset_of(self, id)
  local epoch, digits = tostring(id):match "^(%x+):(%d+)$"
  return epoch == self.epoch and tonumber(digits) or nil
end

---Whether an id is of a message that others know already, or will be: of this epoch, and behind the newest.
---@param id any
---@return boolean
function History:is_ahead(id)
  local offset = offset_of(self, id)
  return offset ~= nil and offset > self.last
end

---Where a reader goes on who has seen everything up to an id, and whether nothing is missing there. When something is,
---he begins with the oldest that is kept; without an id, or with one that is ahead, behind the newest.
---@param id any
---@return boolean recovered
---@return integer offset
function History:resume(id)
  if id == nil or self:is_ahead(id) then
    return false, self.last
  end
  local found = self:find(id)
  return found ~= nil, found or self.first - 1
end

---The offset that an id stands for, when everything behind it is still kept. An id is the client's word: nil for one
---that is malformed, of another epoch, too old, or of the future.
---@param id any
---@return integer?
function History:find(id)
  local offset = math.tointeger(offset_of(self, id))
  return offset and self:reaches(offset) and offset or nil
end

return M
