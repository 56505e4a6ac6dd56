-- Counts by key within a window of time, in bounded memory and without ever looking through all of them. There are two
-- generations: what was counted lately is young; when a window is over, or when the young are half of what is allowed,
-- they become the old, and the old before them are forgotten. A key that is counted again becomes young again.

local clock = require "sprylua.clock"

---@class sprylua.Counters
---@field window number seconds
---@field half integer how many keys a generation has at most
---@field young table<string|number, { count: integer, ends: number }>
---@field old table<string|number, { count: integer, ends: number }>
---@field size integer of the young
---@field turns number when the young become old
local Counters = {}
Counters.__index = Counters

local M = {}

---@param window number seconds
---@param most integer keys, 2 or more
---@return sprylua.Counters
function M.new(window, most)
  return setmetatable({
    window = window, half = most // 2, young = {}, old = {}, size = 0, turns = clock.now() + window,
  }, Counters)
end

local function turn(self, now)
  self.old, self.young, self.size = self.young, {}, 0
  self.turns = now + self.window
end

-- The key's entry, as a young one.
local function entry_of(self, key, now)
  local entry = self.young[key]
  if not entry then
    if self.size == self.half then
      turn(self, now)
    end
    entry = self.old[key] or { count = 0, ends = now + self.window }
    self.old[key] = nil
    self.young[key], self.size = entry, self.size + 1
  end
  return entry
end

---Counts one.
---@param key string|number
---@return integer count in this key's window, this one included
---@return number left seconds until its window is over
function Counters:add(key)
  local now = clock.now()
  if now >= self.turns then
    turn(self, now)
  end
  local entry = entry_of(self, key, now)
  if now >= entry.ends then
    entry.count, entry.ends = 0, now + self.window
  end
  entry.count = entry.count + 1
  return entry.count, entry.ends - now
end

return M
