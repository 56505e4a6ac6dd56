-- What a server watches: the files of its project that code depends on, and how changes of them are told.

local project = require "sprylua.cli.project"
local uv = require "luv"

local M = {}

-- Editors' own files are nobody's.
local function is_visible(name)
  return not name:find "^%." and not name:find "~$"
end

local function is_lua(name)
  return is_visible(name) and name:find "%.lua$" ~= nil
end

local function is_view(name)
  return is_visible(name) and name:find "%.html$" ~= nil
end

local DEEP = { middleware = is_lua, views = is_view }

-- A folder of files that are Lua, or lead to a folder of such files.
local function place_of_code(folder, others)
  return { folder = folder, concerns = function(name)
    return is_lua(name) or others[folder .. "/" .. name] ~= nil
  end }
end

local function place_of_file(path)
  local folder, file = path:match "^(.*)/([^/]*)$"
  return { folder = folder == "" and "/" or folder, file = file, concerns = function(name) return name == file end }
end

-- The project's own folder, which may be replaced, or be a link that is.
local function add_project(list, self)
  local folder = self.absolute:match "^(.+)/[^/]+$"
  list[#list + 1] = folder and place_of_file(folder)
end

-- What lies in public/ is read for each request, so only the folder itself matters.
---@param self sprylua.Served
---@return sprylua.WatchedPlace[]
function M.of(self)
  local folder, folders = project.folder(self.routes), self.modules:folders()
  local list = { { folder = self.routes, deep = true, concerns = is_lua } }
  for path in pairs(folders) do
    list[#list + 1] = place_of_code(path, folders)
  end
  for name, concerns in pairs(DEEP) do
    local path = folder .. "/" .. name
    folders[path] = true
    list[#list + 1] = { folder = path, deep = true, concerns = concerns }
  end
  folders[folder .. "/public"] = true
  folders[uv.fs_realpath(self.routes) or self.routes] = true
  list[#list + 1] = place_of_code(folder, folders)
  local config = self.configPath and uv.fs_realpath(self.configPath)
  list[#list + 1] = config and place_of_file(config)
  add_project(list, self)
  return list
end

local SHOWN = 3 -- files

---"routes/a.lua, routes/b.lua changed"
---@param self sprylua.Served
---@param paths string[]
---@return string
function M.tell(self, paths)
  local prefix, names = project.folder(self.routes) .. "/", {}
  for i, path in ipairs(paths) do
    names[i] = path:sub(1, #prefix) == prefix and path:sub(#prefix + 1) or path
  end
  table.sort(names)
  local more = #names - SHOWN
  local shown = table.concat(names, ", ", 1, math.min(#names, SHOWN))
  return shown .. (more > 0 and (" and %d more"):format(more) or "") .. " changed"
end

return M
