-- An uploaded file, as handlers see it: in memory, or in a temporary file that is gone with its request.

local file = require "sprylua.file"
local temporary_file = require "sprylua.temporary_file"

local M = {}

local PIECE = 65536

---@class sprylua.FormFile
---@field name string the field's
---@field filename string what the client calls it, made fit to be a file's name: see sprylua.disposition
---@field type string what the client says that it is
---@field size integer
---@field body string? the content, when it is small
---@field path string? where the content is, when it is not in memory, or was saved
local FormFile = { __name = "sprylua.FormFile" }
FormFile.__index = FormFile

-- file → { event, temporary (until it is saved) }: not fields, so that a handler may answer with the file as JSON.
local private = setmetatable({}, { __mode = "k" })

---@param event table
---@param temporary sprylua.TemporaryFile? where the content is, when it is not in memory
---@param fields table name, filename, type, size, body
---@return sprylua.FormFile
function M.new(event, temporary, fields)
  local self = setmetatable(fields, FormFile)
  self.path = temporary and temporary.path
  private[self] = { event = event, temporary = temporary }
  return self
end

local function need(ok, path, message)
  return ok or error(("%s: %s"):format(path, message), 0)
end

---The content in pieces: `for bytes in file:chunks() do`.
---@return fun(): string?
function FormFile:chunks()
  if not self.path then
    local rest = self.body ~= "" and self.body or nil
    return function()
      local bytes = rest
      rest = nil
      return bytes
    end
  end
  local opened = need(file.open(self.path, "r"))
  return function()
    local bytes = need(opened:read(PIECE))
    return bytes ~= "" and bytes or nil
  end, nil, nil, opened
end

---The whole content.
---@return string
function FormFile:read()
  if self.body then
    return self.body
  end
  local pieces = {}
  for bytes in self:chunks() do
    pieces[#pieces + 1] = bytes
  end
  return table.concat(pieces)
end

-- The temporary file that can be moved to where it is wanted.
local function movable(self, to)
  local own = private[self]
  local temporary = own.temporary
  own.temporary = nil
  if not temporary and self.body then
    temporary = temporary_file.beside(own.event, to)
    temporary:write(self.body)
  end
  return temporary
end

---Keeps the content as the file `to`. Nobody sees half of it there. A file that is there already is an error.
---@param to string
---@param opts sprylua.SaveOptions?
function FormFile:save(to, opts)
  opts = temporary_file.saveOptions("file:save", to, opts)
  local temporary = movable(self, to)
  if temporary then
    temporary:save(to, opts)
  else
    temporary_file.copy(private[self].event, self.path, to, opts) -- it has been saved before
  end
  self.path = to
end

return M
