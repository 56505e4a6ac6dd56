-- A folder on disk -> what its files are. Reads through a `readdir` function, so that specs need no disk:
-- readdir("users") -> { { name = "[id].lua", type = "file" }, { name = "posts", type = "directory" } }, "1:42"

local pattern = require "sprylua.pattern"

local M = {}

---@class sprylua.DirEntry
---@field name string
---@field type "file"|"directory"|"broken"|"other" what a symbolic link leads to; "broken" when that is nothing

---What is in a folder, and the folder's identity (the same text for the same folder, by whatever path); or nil and why.
---@alias sprylua.ReadDir fun(folder: string): sprylua.DirEntry[]?, string?

local function join(folder, name)
  return folder == "" and name or name == "" and folder or folder .. "/" .. name
end

---Calls `visit(path, entry)` for everything below `folder`, in file-name order; a directory is entered when `visit`
---returns true for it. A directory that contains itself through a link is not entered again.
---@param readdir sprylua.ReadDir
---@param visit fun(path: string, entry: sprylua.DirEntry): boolean?
---@param trouble fun(path: string, sentence: string)
function M.walk(readdir, visit, trouble)
  local function enter(folder, inside)
    local entries, id = readdir(folder)
    if not entries then
      return trouble(folder, "cannot be read: " .. tostring(id))
    elseif inside[id] then
      return trouble(folder, "is a link to a folder that contains it; it is not followed")
    end
    inside[id] = true
    table.sort(entries, function(a, b)
      return a.name < b.name
    end)
    for _, entry in ipairs(entries) do
      local path = join(folder, entry.name)
      if visit(path, entry) and entry.type == "directory" then
        enter(path, inside)
      end
    end
    inside[id] = nil
  end
  enter("", {})
end

---@class sprylua.Tree
---@field routes sprylua.Pattern[]
---@field middleware table<string, sprylua.Pattern[]> by folder; first the one for every method
---@field errors table<string, sprylua.Pattern[]> by folder; first those for one method
---@field folders string[] with a middleware or an error file, outermost first
---@field problems string[] all that is wrong, with file names
---@field warnings string[]

-- Why something that is no file of ours is passed over.
local function ignored(entry)
  if entry.type == "broken" then
    return "is a link to something that is not there, so it is ignored"
  end
  return "is no .lua file, so it is ignored"
end

local function is_lua(name)
  return name:find("%.lua$") and #name > 4
end

local function add_scoped(tree, found)
  local by_folder = found.kind == "middleware" and tree.middleware or tree.errors
  local list = by_folder[found.folder]
  if not list then
    list = {}
    by_folder[found.folder] = list
    if not (tree.middleware[found.folder] and tree.errors[found.folder]) then
      tree.folders[#tree.folders + 1] = found.folder
    end
  end
  -- The general middleware is the outer one; of the error files the one for this very method is the nearer.
  local general_first = found.kind == "middleware"
  table.insert(list, (found.method == nil) == general_first and 1 or #list + 1, found)
end

---Reads a routes folder. `label` is what its path is called in messages.
---@param readdir sprylua.ReadDir
---@param label string
---@return sprylua.Tree
function M.routes(readdir, label)
  local tree = { routes = {}, middleware = {}, errors = {}, folders = {}, problems = {}, warnings = {} }
  local function complain(path, sentence)
    tree.problems[#tree.problems + 1] = join(label, path) .. ": " .. sentence
  end
  local function warn(path, sentence)
    tree.warnings[#tree.warnings + 1] = join(label, path) .. ": " .. sentence
  end
  M.walk(readdir, function(path, entry)
    if entry.name:sub(1, 1) == "." then
      return false -- editors and version control keep their own files there
    elseif entry.type == "directory" then
      local part, problem = pattern.folder(entry.name)
      if not part then
        complain(path, problem)
      end
      return part ~= nil
    elseif entry.type ~= "file" or not is_lua(entry.name) then
      return warn(path, ignored(entry))
    end
    local found, problem = pattern.parse(path)
    if not found then
      return complain(path, problem)
    end
    found.label = join(label, path)
    if found.kind == "route" then
      tree.routes[#tree.routes + 1] = found
    else
      add_scoped(tree, found)
    end
  end, warn)
  table.sort(tree.folders)
  return tree
end

---@class sprylua.GlobalMiddleware
---@field file string
---@field label string
---@field method string?

---Reads the project's middleware/ folder: NN_name.lua, NN_name.post.lua, in the order of their numbers, then names.
---@param readdir sprylua.ReadDir
---@param label string
---@return sprylua.GlobalMiddleware[] list
---@return string[] problems
---@return string[] warnings
function M.middleware(readdir, label)
  local list, problems, warnings = {}, {}, {}
  M.walk(readdir, function(path, entry)
    if entry.name:sub(1, 1) == "." then
      return false
    elseif entry.type ~= "file" or not (is_lua(path) or path:find("^%d")) then
      local why = entry.type == "directory" and "is a folder, so it is ignored: middleware files lie directly in "
        .. label .. "/" or ignored(entry)
      warnings[#warnings + 1] = join(label, path) .. ": " .. why
      return false
    end
    local number = path:match("^(%d+)_[^.]")
    local suffix = path:match("^[^.]+%.(.+)%.lua$")
    local method = pattern.method(suffix)
    local problem
    if not is_lua(path) then
      problem = "a middleware's name ends in .lua"
    elseif not number then
      problem = ("begin its name with a number that says its turn, such as 10_%s"):format(path)
    elseif suffix and not method then
      problem = ("'.%s' is not a method; take one of .get .post .put .patch .delete .head .options"):format(suffix)
    end
    if problem then
      problems[#problems + 1] = join(label, path) .. ": " .. problem
    else
      list[#list + 1] = { file = path, label = join(label, path), method = method, turn = tonumber(number) }
    end
  end, function(path, sentence)
    warnings[#warnings + 1] = join(label, path) .. ": " .. sentence
  end)
  table.sort(list, function(a, b)
    if a.turn ~= b.turn then
      return a.turn < b.turn
    end
    return a.file < b.file
  end)
  return list, problems, warnings
end

local AT_ONCE = 256 -- names

-- luv keeps each request of fs_scandir for ever; a folder that is opened, read and closed leaves nothing behind.
local function names_in(uv, path)
  local folder, message = uv.fs_opendir(path, nil, AT_ONCE)
  if not folder then
    return nil, message
  end
  local names, some = {}, {}
  while some do
    for _, entry in ipairs(some) do
      names[#names + 1] = entry.name
    end
    some, message = uv.fs_readdir(folder)
  end
  uv.fs_closedir(folder)
  return not message and names or nil, message
end

-- What a path leads to, through links; the type that the folder says is that of the link.
local function kind_of(uv, path)
  local stat = uv.fs_stat(path)
  local kind = stat and stat.type
  local known = kind == "file" or kind == "directory"
  return known and kind or stat and "other" or "broken"
end

---A `readdir` over the real disk. luv's calls without a callback answer at once; this runs at start and reload only.
---@param root string
---@return sprylua.ReadDir
function M.readdir(root)
  local uv = require "luv"
  return function(folder)
    local path = join(root, folder)
    local names, message = names_in(uv, path)
    local here = uv.fs_stat(path)
    if not names or not here then
      return nil, message or "it is gone"
    end
    local entries = {}
    for i, name in ipairs(names) do
      entries[i] = { name = name, type = kind_of(uv, path .. "/" .. name) }
    end
    return entries, here.dev .. ":" .. here.ino
  end
end

return M
