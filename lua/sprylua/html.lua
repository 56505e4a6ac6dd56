-- Text in HTML: escaping, and strings that are HTML already and must not be escaped again.

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---Fit for text and for an attribute in quotes of either kind.
---@param text string
---@return string
function M.escape(text)
  if not text:find "[&<>\"']" then
    return text
  end
  return (text:gsub("[&<>\"']", ENTITIES))
end

---@class sprylua.Html
---@field text string
---@operator concat(any): sprylua.Html
local Html = { __name = "sprylua.Html" }

function Html:__tostring()
  return self.text
end

---Marks a string as HTML.
---@param text string|number|sprylua.Html
---@return sprylua.Html
function M.raw(text)
  if M.is(text) then
    return text
  elseif type(text) ~= "string" and type(text) ~= "number" then
    error(("raw takes a string, not a %s"):format(type(text)), 2)
  end
  return setmetatable({ text = tostring(text) }, Html)
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Html
end

local function joinable(value)
  if M.is(value) then
    return value.text
  elseif type(value) == "string" or type(value) == "number" then
    return M.escape(tostring(value))
  end
  error(("HTML can be joined to a string, not to a %s"):format(type(value)), 3)
end

-- What is joined to HTML becomes HTML, so a plain string is escaped first.
function Html.__concat(a, b)
  return M.raw(joinable(a) .. joinable(b))
end

return M
