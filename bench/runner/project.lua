-- What the servers serve: a copy of bench/app with the files and routes that are too many to be kept.

local uv = require "luv"

local M = {}

local MODE = tonumber("755", 8)

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local function copy(from, to)
  assert(uv.fs_mkdir(to, MODE))
  for name, kind in uv.fs_scandir_next, (assert(uv.fs_scandir(from))) do
    local source, target = from .. "/" .. name, to .. "/" .. name
    if kind == "directory" then copy(source, target) else assert(uv.fs_copyfile(source, target)) end
  end
end

---Removes what was made.
function M.remove(folder)
  for name, kind in uv.fs_scandir_next, (assert(uv.fs_scandir(folder))) do
    local path = folder .. "/" .. name
    if kind == "directory" then M.remove(path) else assert(uv.fs_unlink(path)) end
  end
  assert(uv.fs_rmdir(folder))
end

-- Exactly 64 KiB.
local function page()
  local line = "<p>The quick brown fox jumps over the lazy dog, and goes home.</p>\n"
  return line:rep(65536 // #line + 1):sub(1, 65536)
end

-- Exactly 1 KiB.
local function order()
  local lines = {}
  for i = 1, 12 do
    lines[i] = ('{"article":%d,"name":"Analytical engine, part %d","amount":%d}'):format(1000 + i, i, i)
  end
  local head = ('{"id":1815,"lines":[%s],"note":"'):format(table.concat(lines, ","))
  return head .. ("x"):rep(1024 - #head - 2) .. '"}'
end

---Makes the project, and the body that is posted.
---@param place bench.Place
function M.make(place)
  copy(place.root .. "/bench/app", place.app)
  assert(uv.fs_mkdir(place.app .. "/public", MODE))
  write(place.app .. "/public/file.html", page())
  write(place.scratch .. "/order.json", order())
end

---Makes a project that has `count` folders of routes more, each with a parameter. Once is enough.
---@param place bench.Place
---@param count integer
function M.make_sections(place, count)
  local folder = ("%s/sections-%d"):format(place.scratch, count)
  if count == 0 or uv.fs_stat(folder) then return end
  copy(place.app, folder)
  for i = 1, count do
    local section = ("%s/routes/section%d"):format(folder, i)
    assert(uv.fs_mkdir(section, MODE))
    write(section .. "/[id].get.lua", "return function(event) return event.params.id end\n")
  end
end

return M
