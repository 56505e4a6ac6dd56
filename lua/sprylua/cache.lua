-- Values by key, within a bound: what has not been asked for lately goes first. Pure.
-- There are two generations. What is used moves to the young one; when that has filled half of the room it becomes the
-- old one, and the old one is dropped.

local M = {}

---@class sprylua.Cache
---@field private young table<any, { value: any, cost: integer }>
---@field private old table<any, { value: any, cost: integer }>
---@field private filled integer the cost of the young ones
---@field private room integer for a generation
local Cache = { __name = "sprylua.Cache" }
Cache.__index = Cache

---@param limit integer of all costs together
---@return sprylua.Cache
function M.new(limit)
  return setmetatable({ young = {}, old = {}, filled = 0, room = limit // 2 }, Cache)
end

local function add(self, key, entry)
  if self.filled + entry.cost > self.room then
    self.young, self.old, self.filled = {}, self.young, 0
  end
  self.young[key] = entry
  self.filled = self.filled + entry.cost
end

---@param key any
---@return any value nil when it is not there
function Cache:get(key)
  local entry = self.young[key]
  if entry then
    return entry.value
  end
  entry = self.old[key]
  if entry then
    self.old[key] = nil
    add(self, key, entry)
    return entry.value
  end
end

---Keeps a value, in the place of the one that the key had. What is dearer than half of the limit is not kept.
---@param key any
---@param value any
---@param cost integer
function Cache:put(key, value, cost)
  self:drop(key)
  if cost <= self.room then
    add(self, key, { value = value, cost = cost })
  end
end

---@param key any
function Cache:drop(key)
  local entry = self.young[key]
  if entry then
    self.young[key] = nil
    self.filled = self.filled - entry.cost
  end
  self.old[key] = nil
end

return M
