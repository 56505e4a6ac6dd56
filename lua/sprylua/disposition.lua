-- Content-Disposition of a form's part (RFC 7578 section 4.2), and file names that are fit to be used. Pure.

local wellformed = require "sprylua.wellformed"

local M = {}

local MAX_FILENAME = 255 -- bytes; what file systems take

-- A parameter. Browsers write a quote inside the quotes as %22, line breaks as %0D and %0A, and keep a backslash;
-- others escape with a backslash. Only \" and \\ are taken for an escape, so a Windows path stays one.
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
      value, at = text:sub(stop + 2, i - 1):gsub('\\(["\\])', "%1"), i + 1
    else
      value = text:match("^[^;%s]*", stop + 1)
      at = stop + 1 + #value
    end
    if key:lower() == name then
      return value
    end
  end
end

local BROWSER_ESCAPES = { ["%22"] = '"', ["%0D"] = "\r", ["%0A"] = "\n" }

local function plain(text, name)
  local value = parameter(text, name)
  return value and (value:gsub("%%[02][2DA]", BROWSER_ESCAPES))
end

local function from_hex(hex)
  return string.char(tonumber(hex, 16))
end

local function from_latin1(byte)
  return utf8.char(byte:byte())
end

-- UTF-8''%e2%82%ac.txt (RFC 8187). Forms should not have it (RFC 7578 section 4.2), but some clients send it.
local function extended(text, name)
  local charset, encoded = (parameter(text, name .. "*") or ""):match("^([%w%-]+)'[^']*'(.*)$")
  local bytes = encoded and encoded:gsub("%%(%x%x)", from_hex)
  if not bytes then
    return nil
  elseif charset:lower() == "iso-8859-1" then
    return (bytes:gsub("[\x80-\xff]", from_latin1))
  end
  return charset:lower() == "utf-8" and utf8.len(bytes) and bytes or nil
end

---@param text string "form-data; name=\"a\"; filename=\"b.txt\""
---@return string? name
---@return string? filename as it was written: see M.filename
function M.names(text)
  return plain(text, "name"), extended(text, "filename") or plain(text, "filename")
end

-- Keeps the extension, and whole characters.
local function shorten(name)
  if #name <= MAX_FILENAME then
    return name
  end
  local extension = name:match("%.%w+$") or ""
  if #extension > 32 then
    extension = ""
  end
  local length = MAX_FILENAME - #extension
  while name:find("^[\x80-\xbf]", length + 1) do
    length = length - 1
  end
  return name:sub(1, length) .. extension
end

---What a client calls a file, as a name that can be used in any folder: no folders in it (Windows' neither), no control
---characters, no dots and blanks at its ends (so not hidden, and never ".."), UTF-8, 255 bytes at most. "file" when
---nothing is left.
---@param text string
---@return string
function M.filename(text)
  local name = wellformed.utf8((text:gsub("^.*[/\\]", "")), "_")
  name = name:gsub("%c", ""):gsub("\xc2[\x80-\x9f]", ""):gsub("^[%s.]+", "")
  name = shorten(name):gsub("[%s.]+$", "")
  return name == "" and "file" or name
end

return M
