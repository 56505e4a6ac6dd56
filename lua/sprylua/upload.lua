-- Reads a multipart/form-data body into fields and files, within limits. What is large goes to temporary files as it
-- comes, no faster than the disk takes it.

local disposition = require "sprylua.disposition"
local form_file = require "sprylua.form_file"
local http_error = require "sprylua.http_error"
local multipart = require "sprylua.multipart"
local options = require "sprylua.options"
local query = require "sprylua.query"
local temporary_file = require "sprylua.temporary_file"

local M = {}

---@class sprylua.MultipartOptions sizes are bytes; what is over a limit is a 413
---@field memory integer? a file up to this size is kept in memory (65536)
---@field maxFiles integer? (20)
---@field maxFields integer? (1000)
---@field maxFileSize integer? of one file; by default only the body's limit counts
---@field maxFieldsSize integer? of all fields together, names and values (1 MiB)
---@field folder string? where temporary files are made; by default TMPDIR, or /tmp

---The options that event.request:multipart takes.
M.RULES = {
  memory = options.integer(0, 65536),
  maxFiles = options.integer(0, 20),
  maxFields = options.integer(0, 1000),
  maxFileSize = options.integer(0),
  maxFieldsSize = options.integer(0, 1024 * 1024),
  folder = options.text(),
}

---@class sprylua.Form
---@field fields sprylua.Query
---@field files sprylua.FormFiles

---@class sprylua.FormFiles a list
---@field [integer] sprylua.FormFile
local FormFiles = { __name = "sprylua.FormFiles" }
FormFiles.__index = FormFiles

---The first file of that field.
---@param name string
---@return sprylua.FormFile?
function FormFiles:get(name)
  return self:getAll(name)[1]
end

---Every file of that field, in order.
---@param name string
---@return sprylua.FormFile[]
function FormFiles:getAll(name)
  local found = {}
  for _, file in ipairs(self) do
    if file.name == name then
      found[#found + 1] = file
    end
  end
  return found
end

---@class sprylua.Upload: sprylua.MultipartSink
---@field private event table
---@field private limits table the options
---@field private fields string[] { name, value … }
---@field private files sprylua.FormFile[]
---@field private fieldsSize integer
---@field private part sprylua.MultipartPart
---@field private size integer of the part's content so far
---@field private pieces string[] the content, while it is in memory
---@field private temporary sprylua.TemporaryFile? where it is otherwise
local Upload = {}
Upload.__index = Upload

local function refuse(message, ...)
  error(http_error.HTTPError(413, { message = message:format(...) }), 0)
end

local function count_field(self, bytes)
  self.fieldsSize = self.fieldsSize + bytes
  if self.fieldsSize > self.limits.maxFieldsSize then
    refuse("the fields of the form are longer than maxFieldsSize, %d bytes together", self.limits.maxFieldsSize)
  end
end

function Upload:begin(part)
  self.part, self.size, self.pieces, self.temporary = part, 0, {}, nil
  if not part.filename then
    count_field(self, #part.name)
  end
end

local function check_file(self)
  local limits = self.limits
  if #self.files >= limits.maxFiles then
    refuse("there are more files than maxFiles, %d", limits.maxFiles)
  elseif limits.maxFileSize and self.size > limits.maxFileSize then
    refuse("a file is longer than maxFileSize, %d bytes", limits.maxFileSize)
  end
end

-- What was kept in memory goes to disk when it is too much.
local function spill(self)
  self.temporary = temporary_file.new(self.event, self.limits.folder)
  for _, bytes in ipairs(self.pieces) do
    self.temporary:write(bytes)
  end
  self.pieces = {}
end

function Upload:content(bytes)
  self.size = self.size + #bytes
  if not self.part.filename then
    count_field(self, #bytes)
  else
    check_file(self)
    if not self.temporary and self.size > self.limits.memory then
      spill(self)
    end
  end
  if self.temporary then
    self.temporary:write(bytes)
  else
    self.pieces[#self.pieces + 1] = bytes
  end
end

local function add_field(self, value)
  local n = #self.fields
  if n >= 2 * self.limits.maxFields then
    refuse("there are more fields than maxFields, %d", self.limits.maxFields)
  end
  self.fields[n + 1], self.fields[n + 2] = self.part.name, value
end

local function add_file(self)
  local part = self.part
  check_file(self)
  if self.temporary then
    self.temporary:finish()
  end
  self.files[#self.files + 1] = form_file.new(self.event, self.temporary, {
    name = part.name,
    filename = disposition.filename(part.filename),
    type = part.type or "text/plain",
    size = self.size,
    body = not self.temporary and table.concat(self.pieces) or nil,
  })
end

-- What a browser sends for a file input where nothing was chosen. It is left out, but not for nothing.
local function skip_file(self)
  self.skipped = self.skipped + 1
  if self.skipped > self.limits.maxFields then
    refuse("there are more file inputs without a file than maxFields, %d", self.limits.maxFields)
  end
end

function Upload:finish()
  if not self.part.filename then
    add_field(self, table.concat(self.pieces))
  elseif self.part.filename == "" and self.size == 0 then
    skip_file(self)
  else
    add_file(self)
  end
end

local function need(ok, problem)
  if not ok then
    error(http_error.HTTPError(400, { message = "the body is not multipart/form-data: " .. problem }), 0)
  end
  return ok
end

---@param event table
---@param content_type string
---@param chunks fun(): string? the body
---@param limits sprylua.MultipartOptions complete
---@return sprylua.Form
function M.read(event, content_type, chunks, limits)
  local upload = setmetatable({
    event = event, limits = limits, fields = {}, files = {}, fieldsSize = 0, skipped = 0,
  }, Upload)
  local parser = multipart.parser(need(multipart.boundary(content_type)), upload)
  for bytes in chunks do
    need(parser:feed(bytes))
  end
  need(parser:finish())
  return { fields = query.from(upload.fields), files = setmetatable(upload.files, FormFiles) }
end

return M
