-- Projects made for one spec: a tree of files in a temporary folder, removed when the process ends. A handler may be
-- given as a function instead of a file's text, so that it can see the spec's own variables.

local testing = require "sprylua.testing"
local uv = require "luv"

local M = {}

local folders = {}

-- Files are text; a function goes into this table, and its file fetches it from here.
package.loaded["spec.handlers"] = package.loaded["spec.handlers"] or {}
local handlers = package.loaded["spec.handlers"]

local function makeFolders(path)
  local made = ""
  for part in path:gmatch "/[^/]+" do
    made = made .. part
    local ok, message, name = uv.fs_mkdir(made, 493) -- rwxr-xr-x
    assert(ok or name == "EEXIST", message)
  end
end

---Writes a file, whose folders are made when they are missing, or writes it anew.
---@param folder string
---@param name string
---@param content any text or handler
function M.write(folder, name, content)
  local path = folder .. "/" .. name
  makeFolders(path:match "^(.*)/")
  if type(content) ~= "string" then
    handlers[#handlers + 1] = content
    content = ('return require("spec.handlers")[%d]\n'):format(#handlers)
  end
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
end

---As many an editor does: a new file takes the place of the old one.
---@param folder string
---@param name string
---@param content any text or handler
function M.save(folder, name, content)
  local path = folder .. "/" .. name
  M.write(folder, name .. "~", content)
  assert(os.rename(path .. "~", path))
end

---Writes a project's files: { ["routes/index.lua"] = text or handler, … }. Returns its folder.
---@param files table<string, any>
---@return string folder
function M.project(files)
  local folder = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/sprylua-spec-XXXXXX"))
  folders[#folders + 1] = folder
  makeFolders(folder .. "/routes")
  for path, content in pairs(files) do M.write(folder, path, content) end
  return folder
end

---The same with names as under routes/. Returns the routes folder.
---@param files table<string, any>
---@return string routes
function M.routes(files)
  local inside = {}
  for path, content in pairs(files) do inside["routes/" .. path] = content end
  return M.project(inside) .. "/routes"
end

---A testing app of such routes. `local app <close> = …` closes it with its block.
---@param files table<string, any>
---@param opts sprylua.testing.AppOptions?
---@return sprylua.testing.App
function M.app(files, opts)
  return testing.app(M.routes(files), opts)
end

local function remove(path)
  local listing = uv.fs_scandir(path)
  while listing do
    local name, kind = uv.fs_scandir_next(listing)
    if not name then break end
    if kind == "directory" then remove(path .. "/" .. name) else uv.fs_unlink(path .. "/" .. name) end
  end
  uv.fs_rmdir(path)
end

---Removes everything that was made.
function M.clean()
  for _, folder in ipairs(folders) do remove(folder) end
  folders = {}
end

return M
