-- What a client says it can take: a list of names with weights, as in Accept-Encoding (RFC 9110, section 12.5.3). Pure.

local M = {}

-- The old names of two codings (section 8.4.1).
local ALIASES = { ["x-gzip"] = "gzip", ["x-compress"] = "compress" }

-- From 0 to 1 with up to three digits (section 12.4.2); nil for anything else.
local function weight(text)
  local number = tonumber(text:match("^[01]$") or text:match("^[01]%.%d?%d?%d?$"))
  return number and number <= 1 and number or nil
end

-- The weight among an item's parameters; 1 when it has none, nil when it is malformed.
local function weight_of(parameters)
  for name, value in parameters:gmatch(";[ \t]*([^;=%s]+)=([^;]*)") do
    if name:lower() == "q" then
      return weight(value:match("^(.-)[ \t]*$"))
    end
  end
  return 1
end

---The names in such a list, in lower case, with their weights. What has a malformed weight is left out; of a name that
---comes twice the first one counts.
---@param text string
---@return table<string, number>
function M.parse(text)
  local weights = {}
  for item in text:gmatch("[^,]+") do
    local name, parameters = item:match("^[ \t]*([^;%s]+)[ \t]*(.*)$")
    local q = name and weight_of(parameters)
    if q then
      name = name:lower()
      name = ALIASES[name] or name
      weights[name] = weights[name] or q
    end
  end
  return weights
end

---The content coding to send, out of those that can be made; nil: the body as it is. A client without Accept-Encoding
---gets the body as it is, and so does one that refuses everything: a body is worth more than an error.
---@param text string? Accept-Encoding
---@param offered string[] codings in order of preference, which counts among equal weights
---@return string? coding
function M.encoding(text, offered)
  local weights = M.parse(text or "")
  local best, most = nil, 0
  for _, coding in ipairs(offered) do
    local q = weights[coding] or weights["*"] or 0
    if q > most then
      best, most = coding, q
    end
  end
  -- The body as it is beats a coding only where the client has said that it would rather have it.
  local plain = weights.identity or 0
  return plain <= most and best or nil
end

return M
