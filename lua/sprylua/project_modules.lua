-- Which of the modules that were required are a project's own files: those are loaded afresh with it. Modules that come
-- from elsewhere, and those in C, stay as they are.

local M = {}

---@class sprylua.ProjectModules
---@field folder string the project's, absolute
---@field private files table<string, string|false> by name of a module that was asked for: its file in the project
local Modules = {}
Modules.__index = Modules

-- A searcher that finds nothing, and sees what nobody before it has found: that may be the project's, or may become so
-- when the file is written.
local function note(self)
  table.insert(package.searchers, #package.searchers - 2, function(name)
    local path = self.folder .. "/?.lua;" .. self.folder .. "/?/init.lua"
    self.files[name] = package.searchpath(name, path) or false
  end)
end

-- Takes the project's modules out of those that are loaded.
local function take(self)
  local taken = {}
  for name, file in pairs(self.files) do
    taken[name] = file and package.loaded[name] or nil
    if file then
      package.loaded[name] = nil
    end
  end
  return taken
end

---Calls `load()` with none of the project's modules loaded. When it returns nothing, they are as before; else `undo()`
---makes them so.
---@generic T
---@param load fun(): T?, any
---@return T?
---@return any more or undo
function Modules:afresh(load)
  local before = take(self)
  local function undo()
    take(self)
    for name, value in pairs(before) do
      package.loaded[name] = value
    end
  end
  local result, more = load()
  if result then
    return result, undo
  end
  undo()
  return nil, more
end

---The folders below the project's in which modules of it are, or would be.
---@return table<string, true>
function Modules:folders()
  local set = {}
  for name in pairs(self.files) do
    local folder = self.folder
    for part in name:gmatch "[^.]+" do
      folder = folder .. "/" .. part
      set[folder] = true
    end
  end
  return set
end

---The modules of a project, when none of them is loaded yet.
---@param folder string
---@return sprylua.ProjectModules
function M.of(folder)
  local self = setmetatable({ folder = folder, files = {} }, Modules)
  note(self)
  return self
end

return M
