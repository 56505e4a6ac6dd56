-- What the server says: messages to stderr, one access line per answered request to stdout.
-- Text that a peer chose goes through `escape` first, so that nobody writes to our terminal or forges a line.

local M = {}

local settings = { access = "none", colour = false, colourMessages = false }

-- ── escaping ────────────────────────────────────────────────────────────────

local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_byte(c)
  return short[c] or ("\\x%02x"):format(c:byte())
end

---Control bytes (the C1 ones in UTF-8 too) and bytes that are no UTF-8, written as escapes.
---@param text any
---@return string
function M.escape(text)
  text = tostring(text):gsub("%c", escape_byte)
  if text:find "[\x80-\xff]" then
    if not utf8.len(text) then return (text:gsub("[\x80-\xff]", escape_byte)) end
    text = text:gsub("\xc2[\x80-\x9f]", function(c) return ("\\u%04x"):format(utf8.codepoint(c)) end)
  end
  return text
end

local function quote_byte(c)
  return ("\\u%04x"):format(c:byte())
end

-- A JSON string; written here so that the log stands on nothing that could itself want to log.
local function quote(text)
  text = text:gsub('[%c"\\]', quote_byte)
  if not utf8.len(text) then text = text:gsub("[\x80-\xff]", "\u{fffd}") end
  return '"' .. text .. '"'
end

-- ── where lines go ──────────────────────────────────────────────────────────

---Takes every line. A spec may replace it.
---@param line string without the line feed
---@param kind "message"|"access"
function M.sink(line, kind)
  local file = kind == "access" and io.stdout or io.stderr
  file:write(line, "\n")
end

---Calls `fn` and returns the lines that were logged meanwhile, instead of writing them. What `fn` raises is raised.
---@param fn fun()
---@return string[]
function M.capture(fn)
  local lines, before = {}, M.sink
  M.sink = function(line) lines[#lines + 1] = line end
  local ok, cause = pcall(fn)
  M.sink = before
  if not ok then error(cause, 0) end
  return lines
end

-- ── messages ────────────────────────────────────────────────────────────────

local marks = { error = "\27[31m", warn = "\27[33m", info = "\27[36m" }

local function message(level, text)
  local mark = level
  if settings.colourMessages then mark = marks[level] .. level .. "\27[0m" end
  M.sink(("%s %s: %s"):format(os.date "%Y-%m-%d %H:%M:%S", mark, tostring(text)), "message")
end

---@param text string
function M.error(text) message("error", text) end

---@param text string
function M.warn(text) message("warn", text) end

---@param text string
function M.info(text) message("info", text) end

-- ── access ──────────────────────────────────────────────────────────────────

local status_colours = { [1] = "\27[36m", [2] = "\27[32m", [3] = "\27[36m", [4] = "\27[33m", [5] = "\27[31m" }

---"12.3ms" or "1.50s".
---@param seconds number
---@return string
function M.duration(seconds)
  if seconds >= 1 then return ("%.2fs"):format(seconds) end
  return ("%.1fms"):format(seconds * 1000)
end

local formats = {}

function formats.text(record)
  local status = tostring(record.status)
  local colour = settings.colour and status_colours[record.status // 100]
  if colour then status = colour .. status .. "\27[0m" end
  local method, path = M.escape(record.method or "-"), M.escape(record.path or "-")
  local line = ("%s %s %s %s %s %s %s"):format(os.date "%H:%M:%S", status, method, path,
    M.duration(record.seconds or 0), record.bytes or 0, M.escape(record.remoteAddress or "-"))
  if record.reason then line = line .. " (" .. M.escape(record.reason) .. ")" end
  return line
end

local fields = { "method", "path", "status", "seconds", "bytes", "remoteAddress", "id", "reason" }

function formats.json(record)
  local parts = { '"time":' .. quote(os.date "!%Y-%m-%dT%H:%M:%SZ" --[[@as string]]) }
  for _, name in ipairs(fields) do
    local value = record[name]
    if math.type(value) == "float" then value = ("%.6f"):format(value)
    elseif math.type(value) == nil and value ~= nil then value = quote(tostring(value)) end
    if value ~= nil then parts[#parts + 1] = ("%q:%s"):format(name, value) end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

---@class sprylua.AccessRecord
---@field method string?
---@field path string? as the client wrote it, with the query string
---@field status integer
---@field seconds number?
---@field bytes integer? that were sent, the head included
---@field remoteAddress string?
---@field id string?
---@field reason string? why the request was refused before any route

---Writes one line for an answered request, in the format that was set up.
---@param record sprylua.AccessRecord
function M.access(record)
  local format = formats[settings.access]
  if format then M.sink(format(record), "access") end
end

---@class sprylua.LogOptions
---@field access "text"|"json"|"none"|nil
---@field colour boolean? of the access lines
---@field colourMessages boolean? of the messages on stderr

---Changes what is given, keeps the rest.
---@param options sprylua.LogOptions
function M.setup(options)
  local access = options.access
  if access ~= nil and access ~= "none" and not formats[access] then
    error(("the access log is text, json or none, not %s"):format(tostring(access)), 2)
  end
  for name in pairs(settings) do
    if options[name] ~= nil then settings[name] = options[name] end
  end
end

return M
