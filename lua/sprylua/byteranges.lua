-- Several ranges in one body: multipart/byteranges (RFC 9110, section 14.6). Pure.

local ranges = require "sprylua.ranges"

local M = {}

---What such a body is made of, in order: strings, and ranges whose bytes come in their place.
---@param list sprylua.Range[]
---@param size integer of the whole
---@param content_type string? of the whole
---@param boundary string what its bytes do not contain
---@return (string|sprylua.Range)[] pieces
function M.pieces(list, size, content_type, boundary)
  local pieces = {}
  local type_line = content_type and "Content-Type: " .. content_type .. "\r\n" or ""
  for i, range in ipairs(list) do
    pieces[#pieces + 1] = ("%s--%s\r\n%sContent-Range: %s\r\n\r\n"):format(
      i > 1 and "\r\n" or "", boundary, type_line, ranges.describe(range, size))
    pieces[#pieces + 1] = range
  end
  pieces[#pieces + 1] = ("\r\n--%s--\r\n"):format(boundary)
  return pieces
end

---How many bytes pieces are together.
---@param pieces (string|sprylua.Range)[]
---@return integer
function M.length(pieces)
  local length = 0
  for _, piece in ipairs(pieces) do
    length = length + (type(piece) == "string" and #piece or piece.last - piece.first + 1)
  end
  return length
end

return M
