-- Tells when files in folders change: once, a moment after the last of several changes, for editors write, rename and
-- set rights one after the other. Linux watches single folders, so those that are new must be found.

local log = require "sprylua.log"
local scan = require "sprylua.scan"
local uv = require "luv"

local M = {}

local QUIET = 50 -- ms without a change, after which it is told
local LONGEST = 150 -- ms from the first change on, after which it is told anyway

---@class sprylua.WatchedPlace
---@field folder string
---@field deep boolean? with the folders below it
---@field file string? the only one that matters there
---@field concerns fun(name: string): boolean whether a change of that file matters

---@class sprylua.Watch
---@field private places fun(): sprylua.WatchedPlace[]
---@field private changed fun(paths: string[])
---@field private handles table[] luv's
---@field private watched table<string, true> the folders
---@field private paths string[] what has changed and was not told
---@field private timer table luv's
local Watch = {}
Watch.__index = Watch

local function is_hidden(name)
  return name:find "^%." ~= nil
end

-- ── telling ─────────────────────────────────────────────────────────────────

local function tell(self)
  local paths = self.paths
  self.paths, self.first = {}, nil
  self:look() -- before anything is read, so that no change is between the two
  local stamps = M.stamps(self.places())
  self.changed(paths)
  self:look()
  self:compare(stamps)
end

---Tells of a change, soon.
---@param path string
function Watch:note(path)
  if not self.paths[path] then
    self.paths[path] = true
    self.paths[#self.paths + 1] = path
  end
  local now = uv.hrtime() // 1000000
  self.first = self.first or now
  self.timer:start(math.max(0, math.min(QUIET, self.first + LONGEST - now)), 0, function()
    tell(self)
  end)
end

-- ── watching ────────────────────────────────────────────────────────────────

local function is_folder(path)
  local stat = uv.fs_stat(path)
  return stat ~= nil and stat.type == "directory"
end

-- Whether the folders that are to be watched have changed.
local function is_place(self, place, path, name)
  return place.deep and not is_hidden(name) and (self.watched[path] or is_folder(path))
end

local function open(self, folder, happened)
  local handle = uv.new_fs_event()
  local ok, message, name = handle:start(folder, {}, function(problem, file)
    happened(not problem and file or nil)
  end)
  handle:unref()
  self.handles[#self.handles + 1] = handle
  if not ok and name ~= "ENOENT" and name ~= "ENOTDIR" and not self.warned then
    self.warned = true
    log.warn(("%s can't be watched, so changes there are not noticed: %s"):format(folder, message))
  end
end

-- A file that is a link changes where it leads to.
local function open_target(self, path)
  local stat = uv.fs_lstat(path)
  local target = stat and stat.type == "link" and uv.fs_realpath(path)
  local folder, file = (target or ""):match "^(.*)/([^/]*)$"
  if folder then
    open(self, folder, function(name)
      if not name or name == file then
        self:note(path)
      end
    end)
  end
end

local function open_folder(self, place, folder)
  self.watched[folder] = true
  open(self, folder, function(name)
    local path = name and folder .. "/" .. name or folder
    if not name or place.concerns(name) or is_place(self, place, path, name) then
      self:note(path)
    end
  end)
end

-- Calls `visit(path, entry)` for what is in a place, its folders included.
local function each(place, visit)
  if place.file then -- there may be many others
    local path = place.folder .. "/" .. place.file
    return visit(path, { name = place.file, type = is_folder(path) and "directory" or "file" })
  end
  scan.walk(scan.readdir(place.folder), function(path, entry)
    visit(place.folder .. "/" .. path, entry)
    return place.deep and entry.type == "directory" and not is_hidden(entry.name)
  end, function() end)
end

---Watches what is there now.
function Watch:look()
  local before = self.handles
  self.handles, self.watched = {}, {}
  for _, place in ipairs(self.places()) do
    open_folder(self, place, place.folder)
    each(place, function(path, entry)
      if entry.type == "directory" then
        if place.deep and not is_hidden(entry.name) then
          open_folder(self, place, path)
        end
      elseif place.concerns(entry.name) then
        open_target(self, path)
      end
    end)
  end
  for _, handle in ipairs(before) do
    handle:close()
  end
end

-- ── what was changed before the watch began ─────────────────────────────────

-- What is another one after every change of the file.
local function stamp_of(stat)
  return ("%d.%09d %d %d"):format(stat.ctime.sec, stat.ctime.nsec, stat.size, stat.ino)
end

---@class sprylua.Stamps what files were like, to tell later which of them have changed
---@field private files table<string, string> by path
---@field private folders table<string, true> whose files are all in there
---@field private time number of the clock
local Stamps = {}
Stamps.__index = Stamps

local function folder_of(path)
  return path:match "^(.*)/"
end

-- Which files a folder had that nobody has looked at before, one can't know; but since when each is as it is.
function Stamps:differs(path, stat)
  if self.folders[folder_of(path)] then
    return self.files[path] ~= stamp_of(stat)
  end
  return stat.ctime.sec + stat.ctime.nsec / 1e9 >= self.time
end

local function each_stat(places, visit)
  for _, place in ipairs(places) do
    each(place, function(path, entry)
      local stat = entry.type == "file" and place.concerns(entry.name) and uv.fs_stat(path)
      if stat then
        visit(path, stat)
      end
    end)
  end
end

local function add_folders(folders, place)
  if place.file then
    return
  end
  folders[place.folder] = true
  each(place, function(path, entry)
    if entry.type == "directory" and place.deep then
      folders[path] = true
    end
  end)
end

---What is there now.
---@param places sprylua.WatchedPlace[]
---@return sprylua.Stamps
function M.stamps(places)
  local seconds, micros = uv.gettimeofday()
  local self = setmetatable({ files = {}, folders = {}, time = seconds + micros / 1e6 }, Stamps)
  for _, place in ipairs(places) do
    add_folders(self.folders, place)
  end
  each_stat(places, function(path, stat)
    self.files[path] = stamp_of(stat)
  end)
  return self
end

---Tells what has changed since then: it may have been read before that, and been watched after.
---@param stamps sprylua.Stamps
function Watch:compare(stamps)
  each_stat(self.places(), function(path, stat)
    if stamps:differs(path, stat) then
      self:note(path)
    end
  end)
end

---Watches nothing any more.
function Watch:stop()
  for _, handle in ipairs(self.handles) do
    handle:close()
  end
  self.handles = {}
  self.timer:close()
end

---@param places fun(): sprylua.WatchedPlace[] what there is may change: it is asked after each change
---@param stamps sprylua.Stamps from before the files were read
---@param changed fun(paths: string[]) called after a change
---@return sprylua.Watch
function M.start(places, stamps, changed)
  local self = setmetatable({
    places = places, changed = changed, handles = {}, watched = {}, paths = {}, timer = uv.new_timer(),
  }, Watch)
  self.timer:unref()
  self:look()
  self:compare(stamps)
  return self
end

return M
