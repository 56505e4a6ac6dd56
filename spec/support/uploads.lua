-- Multipart bodies, and folders for what is made of them.

local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

local M = {}

local BOUNDARY = "----specBoundary7MA4YWxk"

local function part(given)
  local head = ('Content-Disposition: form-data; name="%s"'):format(given.name)
  if given.filename then head = ('%s; filename="%s"'):format(head, given.filename) end
  if given.type then head = head .. "\r\nContent-Type: " .. given.type end
  return ("--%s\r\n%s\r\n\r\n%s\r\n"):format(BOUNDARY, head, given[1])
end

---What app:post takes to send these parts: { name =, filename =, type =, content }.
---@param parts table[]
---@return { body: string, headers: table }
function M.form(parts)
  local text = {}
  for i, given in ipairs(parts) do text[i] = part(given) end
  text[#text + 1] = "--" .. BOUNDARY .. "--\r\n"
  return {
    body = table.concat(text),
    headers = { ["content-type"] = "multipart/form-data; boundary=" .. BOUNDARY },
  }
end

---A new, empty folder.
---@return string
function M.folder()
  local folder = temp_routes.project {} .. "/uploads"
  assert(uv.fs_mkdir(folder, 448)) -- rwx------
  return folder
end

---The names of the files in a folder, sorted.
---@param folder string
---@return string[]
function M.list(folder)
  local names = {}
  for name in uv.fs_scandir_next, assert(uv.fs_scandir(folder)) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---Waits until nothing but these files is in a folder: temporary files are removed by another thread.
---@param folder string
---@param names string[]?
function M.settled(folder, names)
  local wanted = table.concat(names or {}, " ")
  local ok = pcall(server.wait, function() return table.concat(M.list(folder), " ") == wanted end, "")
  assert(ok, ("there is %q in %s, not %q"):format(table.concat(M.list(folder), " "), folder, wanted))
end

---How many descriptors of a process lead into a folder; its own by default.
---@param folder string
---@param pid integer|string?
---@return integer
function M.descriptors(folder, pid)
  local count, place = 0, ("/proc/%s/fd"):format(pid or "self")
  for name in uv.fs_scandir_next, assert(uv.fs_scandir(place)) do
    local target = uv.fs_readlink(place .. "/" .. name)
    if target and target:sub(1, #folder + 1) == folder .. "/" then count = count + 1 end
  end
  return count
end

---@param path string
---@return string
function M.content(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

return M
