-- `require "sprylua.middleware"`, also `spry.middleware`: makers of the middleware that many projects want, each loaded
-- when it is first used. They are described in docs/middleware.md.

local names = require("sprylua.middleware.makers").names
local nearest = require "sprylua.nearest"

---@class sprylua.MiddlewareModules
---@field basicAuth fun(options: sprylua.BasicAuthOptions): sprylua.Middleware
---@field bearer fun(options: sprylua.BearerOptions): sprylua.Middleware
---@field bodyLimit fun(options: { size: integer }): sprylua.Middleware
---@field compress fun(options: table?): sprylua.Middleware
---@field cors fun(options: sprylua.CorsOptions?): sprylua.Middleware
---@field csrf fun(options: sprylua.CsrfOptions?): sprylua.Middleware
---@field etag fun(options: table?): sprylua.Middleware
---@field every fun(...: sprylua.Middleware): sprylua.Middleware
---@field except fun(condition: sprylua.Condition, ...: sprylua.Middleware): sprylua.Middleware
---@field logger fun(options: sprylua.LoggerOptions?): sprylua.Middleware
---@field rateLimit fun(options: sprylua.RateLimitOptions): sprylua.Middleware
---@field requestId fun(options: sprylua.RequestIdOptions?): sprylua.Middleware
---@field secureHeaders fun(options: sprylua.SecureHeadersOptions?): sprylua.Middleware
---@field session fun(options: table?): sprylua.Middleware
---@field some fun(...: sprylua.Middleware): sprylua.Middleware
---@field timing fun(): sprylua.Middleware
local M = {}

local known = {}
for _, name in ipairs(names) do
  known[name] = true
end

return setmetatable(M, {
  __index = function(_, name)
    if not known[name] then
      error(("there is no middleware %s%s"):format(tostring(name), nearest.hint(tostring(name), names)), 2)
    end
    local make = require("sprylua.middleware." .. name)
    M[name] = make
    return make
  end,
})
