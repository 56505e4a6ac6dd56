-- A file as it was at one moment, by its stat: the names of that content (its entity tag, its date), and the content
-- itself, so that they always belong together. Small contents stay in memory for as long as the stat says the same.

local cache = require "sprylua.cache"
local file = require "sprylua.file"
local http_date = require "sprylua.http_date"
local mime = require "sprylua.mime"
local uv = require "luv"

local M = {}

---Up to here a file is one string; above it is sent piece by piece.
M.SMALL = 65536

local MEMORY = 16 * 1024 * 1024
local OVERHEAD = 2048 -- what a snapshot takes without its content, about

-- Not blocking: what was a file when it was looked at may be a pipe by now.
local READ = uv.constants.O_RDONLY + uv.constants.O_NONBLOCK

local known = cache.new(MEMORY)

---@class sprylua.Snapshot
---@field path string
---@field stat table as luv's fs_stat gives it
---@field size integer
---@field type string its Content-Type
---@field etag string a strong one
---@field modified integer seconds, as os.time gives them
---@field date string the same for a header
---@field bytes string? the content, when it is in memory
---@field root string? the folder that sprylua.public has found it in
---@field looked integer? when sprylua.precompressed looked beside it
---@field codings string[]? what it found there
local Snapshot = { __name = "sprylua.Snapshot" }
Snapshot.__index = Snapshot

local function same(a, b)
  local a_modified, b_modified, a_changed, b_changed = a.mtime, b.mtime, a.ctime, b.ctime
  return a.ino == b.ino and a.dev == b.dev and a.size == b.size
    and a_modified.nsec == b_modified.nsec and a_modified.sec == b_modified.sec
    and a_changed.nsec == b_changed.nsec and a_changed.sec == b_changed.sec
end

local function etag_of(stat)
  return ('"%x-%x.%x-%x"'):format(stat.size, stat.mtime.sec, stat.mtime.nsec, stat.ino)
end

-- A date in the future would be later than the response's own (RFC 9110, section 8.8.2.1).
local function date_of(stat)
  return http_date.format(math.min(stat.mtime.sec, os.time()))
end

---What the file at `path` is at this moment; nil when there is none. Links are followed. Looking takes microseconds of
---the kernel's cache, less than a trip to a thread would.
---@param path string
---@return sprylua.Snapshot?
function M.look(path)
  local stat = uv.fs_stat(path)
  if not stat or stat.type ~= "file" then
    return nil
  end
  local found = known:get(path)
  if found and same(found.stat, stat) then
    return found
  end
  found = setmetatable({
    path = path, stat = stat, size = stat.size, type = mime.of(path), etag = etag_of(stat), modified = stat.mtime.sec,
    date = date_of(stat),
  }, Snapshot)
  known:put(path, found, OVERHEAD)
  return found
end

---Whether a path leads to the same file, unchanged.
---@param path string
---@return boolean
function Snapshot:is(path)
  local stat = uv.fs_stat(path)
  return stat ~= nil and same(self.stat, stat)
end

-- A clock may show the same time before and after a change. Two seconds later it does not, in any file system.
local function is_settled(stat)
  return os.time() - stat.ctime.sec > 2
end

local function is_still(self, opened)
  local stat = opened:stat()
  return stat ~= nil and same(self.stat, stat)
end

-- Nil when it is not what it was.
local function read_whole(self, opened)
  local pieces, at = {}, 0
  while at < self.size do
    local piece, message = opened:read(self.size - at, at)
    if not piece then
      error(("%s: %s"):format(self.path, message), 0)
    elseif piece == "" then
      return nil
    end
    pieces[#pieces + 1], at = piece, at + #piece
  end
  return is_still(self, opened) and table.concat(pieces) or nil
end

-- Nil when the path leads to something else by now.
local function open(self)
  local opened, message = file.open(self.path, READ)
  if opened and is_still(self, opened) then
    return opened
  elseif opened then
    opened:close()
  elseif not (message:find("^ENOENT") or message:find("^ENOTDIR")) then
    error(("%s: %s"):format(self.path, message), 0)
  end
end

---The content: a string when it is small, otherwise the open file, to be closed by whoever takes it. Waits. Nil when
---the file has changed since it was looked at.
---@return string|sprylua.File|nil
function Snapshot:content()
  if self.bytes then
    return self.bytes
  end
  local settled = is_settled(self.stat)
  local opened = open(self)
  if not opened or self.size > M.SMALL then
    return opened
  end
  local _ <close> = opened
  local bytes = read_whole(self, opened)
  if bytes and settled then
    self.bytes = bytes
    known:put(self.path, self, OVERHEAD + #bytes)
  end
  return bytes
end

return M
