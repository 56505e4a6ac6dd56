-- The folder public/: its files by their paths. Nothing outside of it is ever served, whatever the path or a link says.

local http_error = require "sprylua.http_error"
local lazy = require "sprylua.lazy"
local scan = require "sprylua.scan"
local uv = require "luv"

local served_file = lazy "sprylua.served_file" ---@module "sprylua.served_file"
local snapshot = lazy "sprylua.snapshot" ---@module "sprylua.snapshot"

local M = {}

---@class sprylua.Public
---@field root string the folder, absolute and without links
---@field package look fun(path: string): sprylua.Snapshot? a file below the root
local Public = {}
Public.__index = Public
Public.__name = "sprylua.Public"

-- A file may be replaced by another one while it is looked at.
local ATTEMPTS = 10

-- Where a path leads, if that is below the root.
local function inside(root, path)
  local real = uv.fs_realpath(path)
  return real and real:sub(1, #root + 1) == root .. "/" and real or nil
end

-- A link may lead outside. A file that was found inside, and is what it was, needs no second look at its path.
local function look_below(root)
  return function(path)
    for _ = 1, ATTEMPTS do
      local found = snapshot.look(path)
      if not found or found.root == root then
        return found
      end
      local real = inside(root, path)
      if not real then
        return nil
      elseif found:is(real) then
        found.root = root
        return found
      end
    end
  end
end

-- Dotfiles are nobody's business, but for the one folder that exists to be asked for (RFC 8615).
local function hidden(path)
  return path:gsub("^/%.well%-known/", "/"):find("/%.[^/]") and path ~= "/.well-known"
end

local function answer(self, event, path)
  local found = self.look(self.root .. "/" .. path)
  return found and served_file.of(found, self.look, event)
end

---The files that are there now, dotfiles apart.
---@return { path: string, segments: string[] }[] files index.html has its folder's segments too
function Public:list()
  local files = {}
  scan.walk(scan.readdir(self.root), function(path, entry)
    if hidden("/" .. path) then
      return false
    elseif entry.type == "directory" then
      return inside(self.root, self.root .. "/" .. path) ~= nil
    elseif entry.type == "file" and inside(self.root, self.root .. "/" .. path) then
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
  return answer(self, event, path) or error(http_error.NotFoundError(), 0)
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
  return answer(self, event, path) or answer(self, event, path == "" and "index.html" or path .. "/index.html")
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
  return setmetatable({ root = root, look = look_below(root) }, Public)
end

return M
