-- Tables of values that several processes share, where they are kept: in the process above the workers, or in the only
-- one that there is. Values are bytes here; who asks knows what they mean.

local clock = require "sprylua.clock"

local M = {}

---@class sprylua.SharedEntry
---@field value string
---@field expires number? seconds of the clock

---@class sprylua.SharedStore
---@field private tables table<string, table<string, sprylua.SharedEntry>>
---@field private size integer entries, expired ones included
---@field private left integer entries that were left when those that have expired were looked for last
---@field private made integer entries since then
local Store = {}
Store.__index = Store

---@return sprylua.SharedStore
function M.new()
  return setmetatable({ tables = {}, size = 0, left = 0, made = 0 }, Store)
end

local function is_over(entry)
  return entry.expires ~= nil and entry.expires <= clock.now()
end

local function remove(self, name, key)
  local entries = self.tables[name]
  if entries and entries[key] then
    self.size, entries[key] = self.size - 1, nil
    self.tables[name] = next(entries) and entries
  end
end

local function find(self, name, key)
  local entries = self.tables[name]
  local entry = entries and entries[key]
  if entry and is_over(entry) then
    remove(self, name, key)
    return nil
  end
  return entry
end

local FEW = 100

-- Nobody may ever ask again for what has expired. Looked for whenever as many entries were made as were left the last
-- time, so that it costs each no more than making it did.
local function sweep(self)
  if self.made <= math.max(self.left, FEW) then
    return
  end
  for name, entries in pairs(self.tables) do
    for key, entry in pairs(entries) do
      if is_over(entry) then
        remove(self, name, key)
      end
    end
  end
  self.left, self.made = self.size, 0
end

local function put(self, name, key, value, lifetime)
  local entries = self.tables[name] or {}
  self.tables[name] = entries
  if not entries[key] then
    self.size, self.made = self.size + 1, self.made + 1
  end
  entries[key] = { value = value, expires = lifetime and clock.now() + lifetime }
  sweep(self)
end

---@param name string
---@param key string
---@return string?
function Store:get(name, key)
  local entry = find(self, name, key)
  return entry and entry.value
end

---@param name string
---@param key string
---@param value string? nil: removes it
---@param lifetime number? seconds; nil: for ever
function Store:set(name, key, value, lifetime)
  if value then
    put(self, name, key, value, lifetime)
  else
    remove(self, name, key)
  end
end

---Changes a value, keeping when it expires; a new one gets `lifetime`.
---@param name string
---@param key string
---@param change fun(value: string?): string?
---@param lifetime number?
---@return string? value nil: `change` has refused, and nothing has changed
function Store:update(name, key, change, lifetime)
  local entry = find(self, name, key)
  local value = change(entry and entry.value)
  if value and entry then
    entry.value = value
  elseif value then
    put(self, name, key, value, lifetime)
  end
  return value
end

---@param name string
---@param key string
---@param lifetime number? from now on; nil: for ever
---@return boolean whether it is there
function Store:expire(name, key, lifetime)
  local entry = find(self, name, key)
  if entry then
    entry.expires = lifetime and clock.now() + lifetime
  end
  return entry ~= nil
end

return M
