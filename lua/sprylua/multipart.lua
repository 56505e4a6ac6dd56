-- multipart/form-data (RFC 7578, RFC 2046 section 5.1) as a stream: bytes in, cut anywhere, parts out. Pure. What is
-- kept is a chunk and what might be the beginning of a boundary; how many parts there may be is for the sink to say.

local disposition = require "sprylua.disposition"

local M = {}

---@class sprylua.MultipartPart what is above a part's content
---@field name string
---@field filename string? as the client wrote it
---@field type string?

---@class sprylua.MultipartSink its methods may wait, and may raise
---@field begin fun(self: sprylua.MultipartSink, part: sprylua.MultipartPart)
---@field content fun(self: sprylua.MultipartSink, bytes: string) of the part that was begun last; never empty
---@field finish fun(self: sprylua.MultipartSink) that part is complete

---@class sprylua.MultipartParser
---@field private sink sprylua.MultipartSink
---@field private delimiter string
---@field private buffer string
---@field private at integer where in the buffer what has not been dealt with begins
---@field private lead integer bytes of the buffer at the beginning of a content that are not its own
---@field private step function the state
---@field private problem string?
local Parser = { __name = "sprylua.MultipartParser" }
Parser.__index = Parser

-- Bytes of a part's header, and of the blanks that may follow a boundary.
local MAX_HEADER = 16 * 1024

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

-- The fields above one part's content, by lower-case name.
local function header_fields(text)
  local fields = {}
  for line in text:gmatch("[^\r\n]+") do
    local name, value = line:match("^([%w%-]+):(.*)$")
    if not name then
      return nil
    end
    fields[name:lower()] = value:match("^%s*(.*%S)") or ""
  end
  return fields
end

-- RFC 7578, section 4.7: nobody encodes. Whoever does would have his content stored as what it is not.
local PLAIN_ENCODING = { ["7bit"] = true, ["8bit"] = true, binary = true }

local function read_part(text)
  local fields = header_fields(text)
  if not fields then
    return nil, "a part's header is malformed"
  end
  local value = fields["content-disposition"]
  if not value or not value:find("^[Ff][Oo][Rr][Mm]%-[Dd][Aa][Tt][Aa]") then
    return nil, "a part has no \"Content-Disposition: form-data\""
  end
  local name, filename = disposition.names(value)
  if not name then
    return nil, "a part has no name"
  end
  local encoding = fields["content-transfer-encoding"]
  if encoding and not PLAIN_ENCODING[encoding:lower()] then
    return nil, "a part has a Content-Transfer-Encoding, which forms do not use (RFC 7578, section 4.7)"
  end
  return { name = name, filename = filename, type = fields["content-type"] }
end

-- The position of what could be the beginning of a delimiter, at the buffer's end; behind the end when there is none.
-- A delimiter has one carriage return, so that only the last one in the buffer can begin it.
local function tail(self)
  local buffer, delimiter = self.buffer, self.delimiter
  local at = buffer:find("\r[^\r]*$", math.max(self.at, #buffer - #delimiter + 2))
  if at and buffer:sub(at) == delimiter:sub(1, #buffer - at + 1) then
    return at
  end
  return #buffer + 1
end

-- A state takes from the buffer what it can. It returns true when the next one may go on, false when more bytes are
-- needed, or nil and what is wrong.
local states = {}

function states.preamble(self)
  local _, stop = self.buffer:find(self.delimiter, self.at, true)
  self.at = stop and stop + 1 or tail(self)
  self.step = stop and states.behind or self.step
  return stop ~= nil
end

-- Behind a delimiter, where the last one has two hyphens.
function states.behind(self)
  local buffer, at = self.buffer, self.at
  if buffer:find("^%-%-", at) then
    self.step = states.epilogue
    return true
  end
  local _, stop = buffer:find("^[ \t]*\r\n", at)
  if stop then
    self.at, self.step = stop + 1, states.header
    return true
  end
  local may_go_on = buffer:find("^[ \t]*\r?$", at) or buffer:find("^%-$", at)
  if may_go_on and #buffer - at < MAX_HEADER then
    return false
  end
  return nil, "there is something behind a boundary"
end

function states.header(self)
  local buffer, at = self.buffer, self.at
  if buffer:find("^\r\n", at) then
    return nil, "a part has no \"Content-Disposition: form-data\""
  end
  local stop, behind = buffer:find("\r\n\r\n", at, true)
  if (stop or #buffer - 2) - at > MAX_HEADER then
    return nil, ("a part's header is longer than %d bytes"):format(MAX_HEADER)
  elseif not stop then
    return false
  end
  local part, problem = read_part(buffer:sub(at, stop - 1))
  if not part then
    return nil, problem
  end
  -- The line break before a boundary belongs to the boundary; with an empty content it is the header's last one.
  self.at, self.lead, self.step = behind - 1, 2, states.content
  self.sink:begin(part)
  return true
end

function states.content(self)
  local buffer, at, first = self.buffer, self.at, self.at + self.lead
  local start, stop = buffer:find(self.delimiter, at, true)
  local last = (start or tail(self)) - 1
  if start then
    self.at, self.step = stop + 1, states.behind
  elseif last >= at then
    self.at, self.lead = last + 1, 0
  end
  if last >= first then
    self.sink:content(buffer:sub(first, last))
  end
  if start then
    self.sink:finish()
  end
  return start ~= nil
end

function states.epilogue(self)
  self.at = #self.buffer + 1
  return false
end

---Takes the next bytes of the body.
---@param bytes string
---@return true? ok
---@return string? problem
function Parser:feed(bytes)
  self.buffer, self.at = self.buffer:sub(self.at) .. bytes, 1
  local more = not self.problem
  while more do
    more, self.problem = self:step()
  end
  if self.problem then
    return nil, self.problem
  end
  return true
end

---Says whether the body was complete.
---@return true? ok
---@return string? problem
function Parser:finish()
  if self.problem then
    return nil, self.problem
  elseif self.step == states.epilogue then
    return true
  elseif self.step == states.preamble then
    return nil, "the boundary does not appear in the body"
  elseif self.step == states.header then
    return nil, "a part's header does not end"
  end
  return nil, "the last boundary is missing"
end

---@param boundary string
---@param sink sprylua.MultipartSink
---@return sprylua.MultipartParser
function M.parser(boundary, sink)
  return setmetatable({
    sink = sink,
    delimiter = "\r\n--" .. boundary,
    buffer = "\r\n", -- so that the first delimiter may be the body's beginning
    at = 1,
    step = states.preamble,
  }, Parser)
end

return M
