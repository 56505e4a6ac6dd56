-- A file that is written while a request runs and gone when it is over, however it ends, unless it is saved before. Its
-- name can't be guessed, and only this process's user may read it.

local core = require "sprylua.core"
local file = require "sprylua.file"
local options = require "sprylua.options"
local uv = require "luv"

local M = {}

-- Small pieces are written together: every write is a trip to another thread.
local BATCH = 256 * 1024

---@class sprylua.SaveOptions
---@field overwrite boolean? whether a file that is there already is replaced (false)
---@field mode integer? permissions, such as tonumber("644", 8); by default the owner alone may read and write it

---@class sprylua.TemporaryFile
---@field path string
---@field private event table
---@field private file sprylua.File
---@field private pieces string[] what waits to be written
---@field private waiting integer bytes of them
local TemporaryFile = { __name = "sprylua.TemporaryFile" }
TemporaryFile.__index = TemporaryFile

local function ignore() end

---@param event table of the request that it belongs to
---@param folder string? where; by default the system's folder for such files (TMPDIR, or /tmp)
---@return sprylua.TemporaryFile
function M.new(event, folder)
  folder = folder or uv.os_tmpdir()
  local self = setmetatable({ event = event, pieces = {}, waiting = 0 }, TemporaryFile)
  -- First this, which raises when the request is over.
  core.request.atEnd(event, function()
    if self.path then
      self.file:close()
      uv.fs_unlink(self.path, ignore)
    end
  end)
  local made, path = file.temporary(folder)
  if not made then
    error(("no temporary file can be made in %s: %s"):format(folder, path), 0)
  end
  self.file, self.path = made, path
  return self
end

local function flush(self)
  local bytes = table.concat(self.pieces)
  self.pieces, self.waiting = {}, 0
  local written, message = self.file:write(bytes)
  if not written then
    error(("%s: %s"):format(self.path, message), 0)
  end
end

---Appends; waits for the disk now and then.
---@param bytes string
function TemporaryFile:write(bytes)
  local pieces = self.pieces
  pieces[#pieces + 1] = bytes
  self.waiting = self.waiting + #bytes
  if self.waiting >= BATCH then
    flush(self)
  end
end

---Writes what waits, and closes it. It is still there.
function TemporaryFile:finish()
  if self.waiting > 0 then
    flush(self)
  end
  self.file:close()
end

-- File systems that have no links say one of these.
local NO_LINKS = { EPERM = true, ENOTSUP = true, ENOSYS = true }

local function reason(message)
  return message:match("^%u+")
end

-- Gives a file a name that nobody has: unlike a rename, a link never replaces anything.
local function link(from, to)
  local ok, message = file.call(uv.fs_link, from, to)
  if not ok and NO_LINKS[reason(message)] then
    ok, message = file.call(uv.fs_copyfile, from, to, { excl = true })
  end
  if ok then
    file.call(uv.fs_unlink, from)
  end
  return ok, message
end

local function move(from, to, overwrite)
  if overwrite then
    return file.call(uv.fs_rename, from, to)
  end
  return link(from, to)
end

local RULES = { overwrite = options.boolean(false), mode = options.integer(0) }

---Checks what a save was given, before anything is done. Raises at the line that called the caller.
---@param owner string
---@param to string
---@param given sprylua.SaveOptions?
---@return sprylua.SaveOptions
function M.saveOptions(owner, to, given)
  if type(to) ~= "string" or to == "" or to:find("\0", 1, true) then
    error(("%s takes the path of a file"):format(owner), 3)
  end
  return options.read(owner, given, RULES) -- a tail call, so that its error is at the same line
end

---Moves it to where it stays; across devices it is copied.
---@param to string
---@param opts sprylua.SaveOptions
function TemporaryFile:save(to, opts)
  self:finish()
  local ok, message = true, nil
  if opts.mode then
    ok, message = file.call(uv.fs_chmod, self.path, opts.mode)
  end
  if ok then
    ok, message = move(self.path, to, opts.overwrite)
  end
  if ok then
    return
  elseif reason(message) == "EXDEV" then
    return M.copy(self.event, self.path, to, opts)
  elseif reason(message) == "EEXIST" then
    message = "there is such a file already; { overwrite = true } replaces it"
  end
  error(("%s can't be saved: %s"):format(to, message), 0)
end

---One in the folder where a file is to be saved.
---@param event table
---@param to string
---@return sprylua.TemporaryFile
function M.beside(event, to)
  return M.new(event, to:match("^(.*)/[^/]*$") or ".")
end

---Saves a copy of the file at `from`. It is made beside `to`, so that whoever looks there sees all of it or nothing.
---@param event table
---@param from string
---@param to string
---@param opts sprylua.SaveOptions
function M.copy(event, from, to, opts)
  local beside = M.beside(event, to)
  beside:finish()
  local ok, message = file.call(uv.fs_copyfile, from, beside.path)
  if not ok then
    error(("%s can't be saved: %s"):format(to, message), 0)
  end
  beside:save(to, opts)
end

return M
