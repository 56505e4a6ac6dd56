-- multipart/form-data (RFC 7578), the whole body in memory: limits.body bounds it. Pure.

local M = {}

-- Far more than any form has; without a bound a small body of many tiny parts would make a large table.
local MAX_PARTS = 1000

---@class sprylua.FormFile
---@field name string the field's
---@field filename string without folders: what a client calls a file is never a path
---@field type string
---@field body string

---The boundary of a Content-Type, or nil and what is wrong.
---@param content_type string
---@return string? boundary
---@return string? problem
function M.boundary(content_type)
  local boundary = content_type:match('[;%s][Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]="([^"]*)"')
    or content_type:match("[;%s][Bb][Oo][Uu][Nn][Dd][Aa][Rr][Yy]=([^%s;]+)")
  if not boundary then
    return nil, "the Content-Type has no boundary"
  elseif #boundary > 70 or boundary:find("%c") or boundary == "" then
    return nil, "the boundary in the Content-Type is not one (RFC 2046: 1 to 70 characters)"
  end
  return boundary
end

-- A parameter of Content-Disposition. Browsers write a quote inside the quotes as %22 and keep a backslash; others
-- escape with a backslash. Only \" and \\ are taken for an escape, so a Windows path stays one.
local function parameter(text, name)
  local at = 1
  while true do
    local _, stop, key = text:find(";%s*([%w%-*_]+)=", at)
    if not stop then
      return nil
    end
    local value
    if text:sub(stop + 1, stop + 1) == '"' then
      local i = stop + 2
      while i <= #text and text:sub(i, i) ~= '"' do
        i = i + (text:find('^\\["\\]', i) and 2 or 1)
      end
      value, at = text:sub(stop + 2, i - 1):gsub('\\(["\\])', "%1"):gsub("%%22", '"'), i + 1
    else
      value = text:match("^[^;%s]*", stop + 1)
      at = stop + 1 + #value
    end
    if key:lower() == name then
      return value
    end
  end
end

-- The fields above one part's body, by lower-case name.
local function part_headers(text)
  local fields = {}
  for line in text:gmatch("[^\r\n]+") do
    local name, value = line:match("^([%w%-]+):%s*(.-)%s*$")
    if not name then
      return nil
    end
    fields[name:lower()] = value
  end
  return fields
end

local function add_part(out, fields, content)
  local disposition = fields["content-disposition"]
  if not disposition or not disposition:find("^[Ff][Oo][Rr][Mm]%-[Dd][Aa][Tt][Aa]") then
    return "a part has no \"Content-Disposition: form-data\""
  end
  local name = parameter(disposition, "name")
  if not name then
    return "a part has no name"
  end
  local filename = parameter(disposition, "filename")
  if filename then
    out.files[#out.files + 1] = {
      name = name,
      filename = filename:match("[^/\\]*$"),
      type = fields["content-type"] or "text/plain",
      body = content,
    }
  else
    local n = #out.fields
    out.fields[n + 1], out.fields[n + 2] = name, content
  end
end

-- From behind one delimiter to the next: position of the next part, or true at the end, or nil and what is wrong.
local function read_part(body, at, delimiter, out)
  if body:find("^%-%-", at) then
    return true
  end
  local start = select(2, body:find("^[ \t]*\r\n", at))
  if not start then
    return nil, "there is something behind a boundary"
  end
  -- A part may have no fields at all; then the empty line follows at once.
  local head_end, content = start, start + 3
  if body:sub(start + 1, start + 2) ~= "\r\n" then
    head_end, content = body:find("\r\n\r\n", start + 1, true)
    if not head_end then
      return nil, "a part's header does not end"
    end
    content = content + 1
  end
  local fields = part_headers(body:sub(start + 1, head_end - 1))
  if not fields then
    return nil, "a part's header is malformed"
  end
  -- The line break before a boundary belongs to the boundary; with an empty content it is the header's last one.
  local from, to = body:find(delimiter, content - 2, true)
  if not from then
    return nil, "the last boundary is missing"
  end
  local problem = add_part(out, fields, body:sub(content, from - 1))
  if problem then
    return nil, problem
  end
  return to + 1
end

---@param body string
---@param boundary string
---@return { fields: string[], files: sprylua.FormFile[] }? form fields as a flat list { name, value … }
---@return string? problem
function M.parse(body, boundary)
  local out = { fields = {}, files = {} }
  local delimiter = "\r\n--" .. boundary
  local at
  if body:sub(1, #delimiter - 2) == delimiter:sub(3) then
    at = #delimiter - 1
  else
    local _, stop = body:find(delimiter, 1, true)
    if not stop then
      return nil, "the boundary does not appear in the body"
    end
    at = stop + 1
  end
  for _ = 1, MAX_PARTS do
    local problem
    at, problem = read_part(body, at, delimiter, out)
    if not at then
      return nil, problem
    elseif at == true then
      return out
    end
  end
  return nil, ("there are more than %d parts"):format(MAX_PARTS)
end

return M
