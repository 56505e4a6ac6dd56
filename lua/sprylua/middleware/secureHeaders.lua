-- `secureHeaders`: what tells browsers to be careful with a page. Each option is named after its header.

local headers = require "sprylua.headers"
local options = require "sprylua.options"

---@class sprylua.SecureHeadersOptions a string is the header's value, false leaves the header out
---@field contentSecurityPolicy string|false|nil
---@field contentSecurityPolicyReportOnly string|false|nil
---@field crossOriginEmbedderPolicy string|false|nil
---@field crossOriginOpenerPolicy string|false|nil
---@field crossOriginResourcePolicy string|false|nil
---@field originAgentCluster string|false|nil
---@field permissionsPolicy string|false|nil
---@field referrerPolicy string|false|nil
---@field strictTransportSecurity string|false|nil
---@field xContentTypeOptions string|false|nil
---@field xDnsPrefetchControl string|false|nil
---@field xDownloadOptions string|false|nil
---@field xFrameOptions string|false|nil
---@field xPermittedCrossDomainPolicies string|false|nil
---@field xXssProtection string|false|nil

-- What a page must know to work with, such as its scripts, no default can guess.
local defaults = {
  contentSecurityPolicy = false,
  contentSecurityPolicyReportOnly = false,
  crossOriginEmbedderPolicy = false,
  crossOriginOpenerPolicy = "same-origin",
  crossOriginResourcePolicy = "same-origin",
  originAgentCluster = "?1",
  permissionsPolicy = false,
  referrerPolicy = "no-referrer",
  strictTransportSecurity = "max-age=31536000; includeSubDomains",
  xContentTypeOptions = "nosniff",
  xDnsPrefetchControl = "off",
  xDownloadOptions = "noopen",
  xFrameOptions = "SAMEORIGIN",
  xPermittedCrossDomainPolicies = "none",
  xXssProtection = "0", -- the filter of old browsers is a hole of its own
}

local function fits(value)
  return value == false or type(value) == "string" and headers.from { x = value } ~= nil
end

local rules = {}
for name, value in pairs(defaults) do
  rules[name] = options.rule("a header's value, or false", fits, value)
end

-- "xFrameOptions" is "x-frame-options".
local function header_of(name)
  return (name:gsub("%u", function(letter)
    return "-" .. letter:lower()
  end))
end

---@param given sprylua.SecureHeadersOptions?
---@return sprylua.Middleware
return function(given)
  local names, values = {}, {}
  for name, value in pairs(options.read("secureHeaders", given, rules)) do
    if value then
      names[#names + 1] = header_of(name)
      values[header_of(name)] = value
    end
  end
  table.sort(names)
  return function(_, next)
    local response = next()
    local fields = response.headers
    for _, name in ipairs(names) do
      if not fields:has(name) then
        fields:append(name, values[name])
      end
    end
    return response
  end
end
