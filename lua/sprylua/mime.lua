-- A file's name -> its media type. The list is the system's /etc/mime.types (Debian's package media-types); where there
-- is none, the handful that a web page is made of.

local M = {}

local FEW = {
  html = "text/html", css = "text/css", js = "text/javascript", mjs = "text/javascript", json = "application/json",
  txt = "text/plain", svg = "image/svg+xml", png = "image/png", jpg = "image/jpeg", jpeg = "image/jpeg",
  gif = "image/gif", webp = "image/webp", ico = "image/vnd.microsoft.icon", woff2 = "font/woff2",
  wasm = "application/wasm", pdf = "application/pdf",
}

local UNKNOWN = "application/octet-stream"

---Reads the format of mime.types: a type, then its extensions; "#" begins a comment.
---@param text string
---@return table<string, string> types by extension
function M.parse(text)
  local types = {}
  for line in text:gmatch("[^\r\n]+") do
    local kind, extensions = line:gsub("#.*", ""):match("^%s*(%S+)%s+(.+)$")
    for extension in (extensions or ""):gmatch("%S+") do
      types[extension:lower()] = types[extension:lower()] or kind
    end
  end
  return types
end

local known

local function load(path)
  local types = {}
  local file = io.open(path or "/etc/mime.types", "r")
  if file then
    types = M.parse(file:read("a"))
    file:close()
  end
  -- Only what the list lacks: an administrator's word goes before ours.
  for extension, kind in pairs(FEW) do
    types[extension] = types[extension] or kind
  end
  return types
end

---The Content-Type of a file; text is UTF-8.
---@param name string
---@return string
function M.of(name)
  known = known or load()
  local extension = name:match("%.([^./]+)$")
  local kind = extension and known[extension:lower()] or UNKNOWN
  if kind:find("^text/") then
    return kind .. "; charset=utf-8"
  end
  return kind
end

return M
