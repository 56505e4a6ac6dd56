-- Bytes that a client sent as text that is UTF-8 for sure. Pure.

local M = {}

---`text`, with each byte that is not part of a UTF-8 character replaced.
---@param text string
---@param replacement string? U+FFFD, as browsers have it
---@return string
function M.utf8(text, replacement)
  local pieces, at = {}, 1
  while true do
    local length, wrong = utf8.len(text, at)
    if length then
      return #pieces == 0 and text or table.concat(pieces) .. text:sub(at)
    end
    pieces[#pieces + 1] = text:sub(at, wrong - 1) .. (replacement or "\u{FFFD}")
    at = wrong + 1
  end
end

return M
