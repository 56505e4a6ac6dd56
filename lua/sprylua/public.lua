-- The folder public/: its files by their paths. Nothing outside of it is ever served, whatever the path or a link says.

local http_error = require "sprylua.http_error"
local response = require "sprylua.response"
local scan = require "sprylua.scan"
local served_file = require "sprylua.served_file"
local uv = require "luv"

local M = {}

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

-- What was found a moment ago is what this one request gets.
local function answer(event, path, stat)
  local made = response.Response()
  made.owner = event
  served_file.put(made, { path = path, look = uv.fs_lstat, stat = stat })
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
function M.open(folder)
  local root = uv.fs_realpath(folder)
  local stat = root and uv.fs_stat(root)
  if not stat or stat.type ~= "directory" then
    return nil
  end
  return setmetatable({ root = root }, Public)
end

return M
