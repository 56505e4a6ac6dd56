-- Files as responses: those of public/, and Response.file. What is read is read through luv: in a coroutine without
-- blocking anyone, elsewhere (a spec that calls a handler) at once.

local http_error = require "sprylua.http_error"
local mime = require "sprylua.mime"
local response = require "sprylua.response"
local scan = require "sprylua.scan"
local uv = require "luv"

local M = {}

-- Up to here a file is one string, read and gone; above it is sent piece by piece, as fast as the client takes it.
local PIECE = 65536

-- One luv call that takes a callback at its end. The wait is a condition: a stray resume does not end it.
local function await(call, ...)
  if not coroutine.isyieldable() then
    return call(...)
  end
  local thread, done, failure, result = coroutine.running(), false, nil, nil
  local arguments = table.pack(...)
  arguments[arguments.n + 1] = function(err, value)
    done, failure, result = true, err, value
    if coroutine.status(thread) == "suspended" then
      coroutine.resume(thread)
    end
  end
  local started, message = call(table.unpack(arguments, 1, arguments.n + 1))
  if not started then
    return nil, message
  end
  repeat
    if not done then
      coroutine.yield()
    end
  until done
  if failure then
    return nil, failure
  end
  return result
end

-- An open file that is closed at the end of its block.
local function open(path)
  local fd, message = await(uv.fs_open, path, "r", 0)
  if not fd then
    error(("%s: %s"):format(path, message), 0)
  end
  return setmetatable({ fd = fd }, {
    __close = function()
      uv.fs_close(fd)
    end,
  })
end

local function read_whole(path, size)
  local file <close> = open(path)
  local pieces, at = {}, 0
  while at < size do
    local piece, message = await(uv.fs_read, file.fd, size - at, at)
    if not piece then
      error(("%s: %s"):format(path, message), 0)
    elseif piece == "" then
      error(("%s became shorter while it was read"):format(path), 0)
    end
    pieces[#pieces + 1], at = piece, at + #piece
  end
  return table.concat(pieces)
end

local function sender(path, size)
  return function(write)
    local file <close> = open(path)
    local at = 0
    while at < size do
      local piece, message = await(uv.fs_read, file.fd, math.min(PIECE, size - at), at)
      if not piece or piece == "" then
        -- The length has been promised, so the only honest end is a broken connection.
        error(("%s: %s"):format(path, message or "became shorter while it was sent"), 0)
      elseif not write(piece) then
        return
      end
      at = at + #piece
    end
  end
end

local function http_date(seconds)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", seconds)
end

local function set_default(fields, name, value)
  if not fields:has(name) then
    fields:set(name, value)
  end
end

-- Puts a file that `stat` has found into a response.
local function put(made, path, stat, only_head)
  set_default(made.headers, "content-type", mime.of(path))
  set_default(made.headers, "last-modified", http_date(stat.mtime.sec))
  if stat.size <= PIECE and not only_head then
    made.body = read_whole(path, stat.size)
  else
    made.length, made.stream = stat.size, sender(path, stat.size)
  end
end

---Puts the file at `path` into a response; a 404 when there is none. See Response.file.
---@param made sprylua.Response
---@param path string
function M.fill(made, path)
  -- Such a path is nearly always made of a parameter: "files/" .. event.params.name with "../../secret" in it.
  local outside = ("/" .. path .. "/"):find("/%.%./") or path:find("\0", 1, true)
  local stat = not outside and await(uv.fs_stat, path)
  if not stat or stat.type ~= "file" then
    error(http_error.NotFoundError(), 0)
  end
  put(made, path, stat)
end

-- ── public/ ─────────────────────────────────────────────────────────────────

---@class sprylua.Public
---@field root string the folder, absolute and without links
local Public = {}
Public.__index = Public
Public.__name = "sprylua.Public"

-- The real path of something below the root; nil when it is not there, or a link leads outside.
local function inside(self, path)
  local real = uv.fs_realpath(self.root .. "/" .. path)
  return real and real:sub(1, #self.root + 1) == self.root .. "/" and real or nil
end

-- The file behind a path, with its stat.
local function find(self, path)
  local real = inside(self, path)
  local stat = real and uv.fs_stat(real)
  if stat and stat.type == "file" then
    return real, stat
  end
end

-- Dotfiles are nobody's business, but for the one folder that exists to be asked for (RFC 8615).
local function hidden(path)
  return path:gsub("^/%.well%-known/", "/"):find("/%.[^/]") and path ~= "/.well-known"
end

local function answer(event, path, stat)
  local made = response.Response()
  local date = http_date(stat.mtime.sec)
  if event.headers:get("if-modified-since") == date then
    made.status = 304
    made.headers:set("last-modified", date)
    return made
  end
  put(made, path, stat, event.method == "HEAD")
  return made
end

---The files that are there now, dotfiles apart.
---@return { path: string, segments: string[] }[] files index.html has its folder's segments too
function Public:list()
  local files = {}
  scan.walk(scan.readdir(self.root), function(path, entry)
    if hidden("/" .. path) then
      return false
    elseif entry.type == "directory" then
      return inside(self, path) ~= nil
    elseif entry.type == "file" and inside(self, path) then
      local segments = {}
      for name in path:gmatch("[^/]+") do
        segments[#segments + 1] = name
      end
      files[#files + 1] = { path = path, segments = segments }
      if entry.name == "index.html" then
        files[#files + 1] = { path = path, segments = table.move(segments, 1, #segments - 1, 1, {}) }
      end
    end
  end, function() end)
  return files
end

---The response for one file by its path below public/; a 404 when it is gone.
---@param event table
---@param path string
---@return sprylua.Response
function Public:serve(event, path)
  local real, stat = find(self, path)
  if not real then
    error(http_error.NotFoundError(), 0)
  end
  return answer(event, real, stat)
end

-- "/a%2Fb" names one segment with a slash in it, which no file can have.
local function file_path(pathname)
  if pathname:find("%2F", 1, true) or hidden(pathname) or pathname:find("\0", 1, true) then
    return nil
  end
  return (pathname:sub(2):gsub("%%25", "%%"))
end

---The response for a path that no route takes, if there is such a file by now.
---@param event table
---@return sprylua.Response?
function Public:lookup(event)
  local path = file_path(event.pathname)
  if not path then
    return nil
  end
  -- Looking takes microseconds of the kernel's cache, less than a trip to the thread pool; reading is another matter.
  for _, candidate in ipairs { path, path == "" and "index.html" or path .. "/index.html" } do
    local real, stat = find(self, candidate)
    if real then
      return answer(event, real, stat)
    end
  end
end

---The public/ folder of a project, or nil when it has none.
---@param folder string
---@return sprylua.Public?
function M.public(folder)
  local root = uv.fs_realpath(folder)
  local stat = root and uv.fs_stat(root)
  if not stat or stat.type ~= "directory" then
    return nil
  end
  return setmetatable({ root = root }, Public)
end

return M
