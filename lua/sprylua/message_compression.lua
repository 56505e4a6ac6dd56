-- The option `compress` of WebSockets: whether and how messages are compressed (docs/websockets.md). What is not given
-- has its default in the core.

local options = require "sprylua.options"

local M = {}

---@class sprylua.MessageCompression
---@field threshold integer? bytes from which on a message is compressed (1024)
---@field contextTakeover boolean? messages may refer to those before them (false)
---@field windowBits integer? 9 to 15: the window that a connection keeps for that (15)

local rules = {
  threshold = options.integer(0),
  contextTakeover = options.boolean(),
  windowBits = options.rule("a whole number from 9 to 15", function(value)
    return math.type(value) == "integer" and value >= 9 and value <= 15
  end),
}

---What the value should have been; nil when it is fine.
---@param value any
---@return string?
function M.wanted(value)
  if type(value) == "boolean" then
    return nil
  elseif type(value) ~= "table" then
    return "true, false, or a table such as { threshold = 1024 }"
  end
  for name, given in pairs(value) do
    local rule = rules[name]
    if not rule then
      return ("a table of threshold, contextTakeover and windowBits, without %s"):format(tostring(name))
    elseif not rule.fits(options.whole(given)) then
      return ("a table in which %s is %s"):format(name, rule.what)
    end
  end
end

return M
