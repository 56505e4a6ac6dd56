-- A file as it was at one moment, by its stat: the names of that content (its entity tag, its date), and the content
-- itself, so that they always belong together. Small contents stay in memory for as long as the stat says the same.

local cache = require "sprylua.cache"
local core = require "sprylua.core"
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
---@field size integer
---@field modified integer seconds, as os.time gives them
---@field modified_nanoseconds integer
---@field changed integer the same of its inode
---@field changed_nanoseconds integer
---@field inode integer
---@field device integer
---@field type string its Content-Type
---@field etag string a strong one
---@field dated integer when it was last modified, as we say
---@field date string the same for a header
---@field bytes string? the content, when it is in memory
---@field root string? the folder that sprylua.public has found it in
---@field looked integer? when sprylua.precompressed looked beside it
---@field codings string[]? what it found there
local Snapshot = { __name = "sprylua.Snapshot" }
Snapshot.__index = Snapshot

local stat = core.stat

-- Whether that is what the stat says which follows: see core.stat.
local function is_same(self, size, modified, modified_nanoseconds, changed, changed_nanoseconds, inode, device)
  return self.modified_nanoseconds == modified_nanoseconds and self.changed_nanoseconds == changed_nanoseconds
    and self.size == size and self.modified == modified and self.changed == changed
    and self.inode == inode and self.device == device
end

-- A date in the future would be later than the response's own (RFC 9110, section 8.8.2.1). The clock that os.time asks
-- may be a little behind that of files, so this happens also to a file that was written just now.
local function dated(modified)
  return math.min(modified, os.time())
end

local function new(path, size, modified, modified_nanoseconds, changed, changed_nanoseconds, inode, device)
  local last_modified = dated(modified)
  return setmetatable({
    path = path, size = size, modified = modified, modified_nanoseconds = modified_nanoseconds, changed = changed,
    changed_nanoseconds = changed_nanoseconds, inode = inode, device = device, type = mime.of(path),
    etag = ('"%x-%x.%x-%x"'):format(size, modified, modified_nanoseconds, inode), dated = last_modified,
    date = http_date.format(last_modified),
  }, Snapshot)
end

---What the file at `path` is at this moment; nil when there is none. Links are followed. This blocks, unlike reading:
---the kernel has such things in its cache and answers in a microsecond, where a trip to a thread would take many. (On a
---network file system it may have to ask; a second is the usual life of what it remembers.)
---@param path string
---@return sprylua.Snapshot?
function M.look(path)
  local size, modified, modified_nanoseconds, changed, changed_nanoseconds, inode, device = stat(path)
  if not size then
    return nil
  end
  local found = known:get(path)
  if not found
    or not is_same(found, size, modified, modified_nanoseconds, changed, changed_nanoseconds, inode, device) then
    found = new(path, size, modified, modified_nanoseconds, changed, changed_nanoseconds, inode, device)
    known:put(path, found, OVERHEAD)
  end
  return found
end

---Whether a path leads to the same file, unchanged.
---@param path string
---@return boolean
function Snapshot:is(path)
  return is_same(self, stat(path))
end

-- A clock may show the same time before and after a change. Two seconds later it does not, in any file system.
local function is_settled(self)
  return os.time() - self.changed > 2
end

local function is_still(self, opened)
  return is_same(self, opened:stat())
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
  local settled = is_settled(self)
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
