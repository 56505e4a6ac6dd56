-- This process as one of the workers of a supervisor: which one it is, and what the supervisor wants of it.

local link = require "sprylua.workers.link"
local uv = require "luv"

local M = {}

---The descriptors that a worker is started with.
M.LISTENER, M.LINK = 3, 4

---The variable that says which worker this is: its number, how many there are, and whether it is the first of all.
M.VARIABLE = "SPRYLUA_WORKER"

---@class sprylua.Member
---@field number integer from 1
---@field count integer
---@field first boolean no worker of this server has run before
---@field link sprylua.Link

---@param first boolean
---@return string
function M.describe(number, count, first)
  return ("%d/%d%s"):format(number, count, first and "/first" or "")
end

-- What the supervisor says, and whom it is said to.
local listeners = {}

---Calls `fn` with the rest of each message that begins with `what`.
---@param what string
---@param fn fun(...: string)
function M.on(what, fn)
  listeners[what] = fn
end

---Joins the supervisor that has started this process; nil when none has. Once.
---@return sprylua.Member?
function M.join()
  local number, count, first = (os.getenv(M.VARIABLE) or ""):match "^(%d+)/(%d+)(.*)$"
  if not number then
    return nil
  end
  uv.os_unsetenv(M.VARIABLE) -- what the app starts is no worker
  M.link = link.open(M.LINK, function(what, ...)
    local listener = listeners[what]
    if listener then
      listener(...)
    end
  end, function()
    listeners.alone()
  end)
  return { number = math.tointeger(number), count = math.tointeger(count), first = first == "/first", link = M.link }
end

return M
