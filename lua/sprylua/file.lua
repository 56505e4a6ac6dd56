-- Files on disk, open. Every operation goes through luv's threads: the coroutine that asks waits, nobody else does.
-- Outside of a coroutine the same calls block, and return when they are done.

local core = require "sprylua.core"
local uv = require "luv"

local M = {}

---@class sprylua.File
---@field private fd integer? nil once it is closed
---@field private busy integer operations under way
---@field private closed boolean nothing may begin any more
local File = { __name = "sprylua.File" }
File.__index = File

local function wake(thread)
  if coroutine.status(thread) == "suspended" then
    coroutine.resume(thread)
  end
end

-- One luv call that takes a callback at its end. What it gives passes through `settle` when it comes back, also when
-- nobody waits for it any more. The wait is a condition: a stray resume does not end it.
local function await(settle, call, ...)
  if not coroutine.isyieldable() then
    return settle(call(...))
  end
  local thread, done, value, message = coroutine.running(), false, nil, nil
  local arguments = table.pack(...)
  arguments[arguments.n + 1] = function(failure, result)
    value, message = settle(result, failure)
    done = true
    wake(thread)
  end
  local started, problem = call(table.unpack(arguments, 1, arguments.n + 1))
  if not started then
    return settle(nil, problem)
  end
  repeat
    coroutine.yield()
  until done
  return value, message
end

local function of(fd)
  return setmetatable({ fd = fd, busy = 0, closed = false }, File)
end

local function as_it_is(...)
  return ...
end

---One of luv's functions on paths (fs_rename, fs_copyfile …), without its callback: the coroutine waits for its end.
---@param call function
---@return any? result
---@return string? message
function M.call(call, ...)
  return await(as_it_is, call, ...)
end

---Opens a file.
---@param path string
---@param flags string|integer "r", "w", "wx" …, or a sum of luv's O_ constants
---@param mode integer? the permissions of a file that is made; by default its owner alone may read and write it
---@return sprylua.File? file
---@return string? message
function M.open(path, flags, mode)
  local thread = coroutine.running()
  return await(function(fd, message)
    if not fd then
      return nil, message
    end
    local file = of(fd)
    if coroutine.status(thread) == "dead" then
      file:close() -- whoever asked was cancelled meanwhile
    end
    return file
  end, uv.fs_open, path, flags, mode or 384)
end

---Makes a file for writing whose name nobody can guess, and that its owner alone may read and write. This is done at
---once: of whoever is cancelled in the middle it could not be told whether there is such a file.
---@param folder string
---@return sprylua.File? file
---@return string path or what is wrong
function M.temporary(folder)
  local fd, path = uv.fs_mkstemp(folder .. "/sprylua-XXXXXX")
  if not fd then
    return nil, path
  end
  return of(fd), path
end

-- Closing waits for nothing that a disk does, so it needs no thread.
local function release(self)
  local fd = self.fd
  self.fd = nil
  return uv.fs_close(fd)
end

-- The descriptor must stay as long as a thread works with it: its number could be another file's by then.
local function operate(self, call, ...)
  if self.closed then
    return nil, "the file is closed"
  end
  self.busy = self.busy + 1
  return await(function(value, message)
    self.busy = self.busy - 1
    if self.closed and self.busy == 0 then
      release(self)
    end
    return value, message
  end, call, self.fd, ...)
end

---Up to `n` bytes; "" at the end of the file.
---@param n integer
---@param at integer? from there; without it where the last operation without it ended
---@return string? bytes
---@return string? message
function File:read(n, at)
  return operate(self, uv.fs_read, n, at or -1)
end

---Writes all of `data`.
---@param data string
---@param at integer? there; without it where the last operation without it ended
---@return integer? written #data
---@return string? message
function File:write(data, at)
  local written = 0
  while written < #data do
    local rest = written == 0 and data or data:sub(written + 1)
    local n, message = operate(self, uv.fs_write, rest, at and at + written or -1)
    if not n then
      return nil, message
    end
    written = written + n
  end
  return written
end

---What the file is now, as core.stat gives it; nothing when it is no regular file.
---@return integer? size and so on
---@return string|integer|nil message or the second of them
function File:stat()
  if self.closed then
    return nil, "the file is closed"
  end
  return core.stat(self.fd)
end

---Closes it; once more does no harm. An operation that is under way comes to its end first.
---@return boolean? closed
---@return string? message
function File:close()
  if self.closed then
    return true
  end
  self.closed = true
  if self.busy > 0 then
    return true
  end
  return release(self)
end

File.__close = File.close
File.__gc = File.close

return M
