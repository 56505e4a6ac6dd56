-- The fields of `event` that are made in Lua, each when it is first asked for.

local core = require "sprylua.core"
local lazy = require "sprylua.lazy"
local params = require "sprylua.params"
local query = require "sprylua.query"
local request = require "sprylua.request"

local cookies = lazy "sprylua.cookies" ---@module "sprylua.cookies"

local M = {}

---@class sprylua.Url
---@field scheme string "http": TLS ends before this server
---@field host string with the port when the client named one
---@field path string as event.pathname: decoded, with nothing left to resolve
---@field query string? as the client wrote it, without "?"
local Url = { __name = "sprylua.Url" }

local function escape(char)
  return ("%%%02X"):format(char:byte())
end

-- The path is decoded except for "/" and "%" inside a segment, so all that a URL cannot hold is encoded again.
function Url:__tostring()
  local path = self.path:gsub("[^%w%-._~!$&'()*+,;=:@/%%]", escape)
  return self.scheme .. "://" .. self.host .. path .. (self.query and "?" .. self.query or "")
end

function Url.__concat(a, b)
  return tostring(a) .. tostring(b)
end

---What the process tells its routes. The command line sets `worker`.
M.context = { runtime = { name = "sprylua" }, worker = 1 }

M.getters = {
  url = function(event)
    return setmetatable({
      scheme = "http",
      host = core.request.host(event),
      path = event.pathname,
      query = core.request.query(event),
    }, Url)
  end,
  headers = core.request.headersView,
  query = query.of,
  params = params.of,
  cookies = function(event)
    return cookies.new(event)
  end,
  request = request.new,
  context = function()
    return M.context
  end,
}

return M
