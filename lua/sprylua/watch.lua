-- Tells when files in folders change: once, a moment after the last of several changes, for editors write, rename and
-- set rights one after the other. Linux watches single folders, so those that are new must be found.

local log = require "sprylua.log"
local scan = require "sprylua.scan"
local uv = require "luv"

local M = {}

local QUIET = 50 -- ms without a change, after which it is told

---@class sprylua.WatchedPlace
---@field folder string
---@field deep boolean? with the folders below it
---@field concerns fun(name: string, is_new: boolean): boolean whether a change of that file matters; new: or it is gone

---@class sprylua.Watch
---@field private places fun(): sprylua.WatchedPlace[]
---@field private changed fun()
---@field private handles table[] luv's
---@field private timer table luv's
local Watch = {}
Watch.__index = Watch

local function folders_in(place)
  local list = { place.folder }
  if place.deep then
    scan.walk(scan.readdir(place.folder), function(path, entry)
      local enters = entry.type == "directory" and not entry.name:find "^%."
      if enters then
        list[#list + 1] = place.folder .. "/" .. path
      end
      return enters
    end, function() end)
  end
  return list
end

local function expect(self)
  self.timer:start(QUIET, 0, function()
    self:look() -- before anything is read, so that no change is between the two
    self.changed()
    self:look()
  end)
end

local function open(self, folder, concerns)
  local handle = uv.new_fs_event()
  local ok, message, name = handle:start(folder, {}, function(problem, file, kinds)
    if problem or not file or concerns(file, kinds.rename or false) then
      expect(self)
    end
  end)
  handle:unref()
  self.handles[#self.handles + 1] = handle
  if not ok and name ~= "ENOENT" and name ~= "ENOTDIR" and not self.warned then
    self.warned = true
    log.warn(("%s can't be watched, so changes there are not noticed: %s"):format(folder, message))
  end
end

---Watches what is there now.
function Watch:look()
  local before = self.handles
  self.handles = {}
  for _, place in ipairs(self.places()) do
    for _, folder in ipairs(folders_in(place)) do
      open(self, folder, place.concerns)
    end
  end
  for _, handle in ipairs(before) do
    handle:close()
  end
end

---@param places fun(): sprylua.WatchedPlace[] what there is may change: it is asked after each change
---@param changed fun() called after a change
---@return sprylua.Watch
function M.start(places, changed)
  local self = setmetatable({ places = places, changed = changed, handles = {}, timer = uv.new_timer() }, Watch)
  self.timer:unref()
  self:look()
  return self
end

return M
