-- Two paths for whoever watches over the process, when the setting `health` is on: /healthz tells that it lives,
-- /readyz whether it is to be sent requests. No middleware sees them, and no access log.

local compose = require "sprylua.compose"
local conflicts = require "sprylua.conflicts"
local response = require "sprylua.response"

local M = {}

---The server has been told to stop: it answers, but wants no more requests.
M.isStopping = false

local TAKEN = "%s: the setting health answers %s; take another path, or leave that setting out"

local function live()
  return response.Response.text("ok", { headers = { ["cache-control"] = "no-store" } })
end

local function ready()
  local answer = live()
  if M.isStopping then
    answer.status, answer.body = 503, "stopping"
  end
  return answer
end

local PATHS = { ["/healthz"] = live, ["/readyz"] = ready }

---Whether a path is one of the two.
---@param pathname string
---@return boolean
function M.answers(pathname)
  return PATHS[pathname] ~= nil
end

---What is wrong with routes that have these paths too.
---@param routes { pattern: sprylua.Pattern }[]
---@return string[] problems
function M.conflicts(routes)
  local problems = {}
  for _, route in ipairs(routes) do
    local found = route.pattern
    if M.answers(conflicts.shape(found.segments)) then
      problems[#problems + 1] = TAKEN:format(found.label, found.path)
    end
  end
  return problems
end

---The routes, for core.router.
---@param app table
---@return table[]
function M.routes(app)
  local list = {}
  for path, answer in pairs(PATHS) do
    local function handler()
      return answer()
    end
    list[#list + 1] = {
      method = "GET", segments = { path:sub(2) },
      entry = compose.entry { handler = handler, label = "(health)", method = "GET", levels = {}, app = app },
    }
  end
  return list
end

return M
