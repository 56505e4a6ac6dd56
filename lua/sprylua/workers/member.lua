-- This process as one of the workers of a supervisor: which one it is, and how it joins the others.

local backbone = require "sprylua.backbone"
local signal = require "sprylua.signal"
local uplink = require "sprylua.workers.uplink"
local uv = require "luv"

local M = {}

---The descriptors that a worker is started with.
M.LISTENER, M.LINK = 3, 4

---The variable that says which worker this is.
M.VARIABLE = "SPRYLUA_WORKER"

---@class sprylua.Member
---@field number integer from 1
---@field server string what tells the server from others
---@field first boolean no worker of this server has run before
---@field private link sprylua.Uplink
local Member = {}
Member.__index = Member

---What the variable is to be.
---@param number integer
---@param server string
---@param first boolean
---@return string
function M.describe(number, server, first)
  return ("%d %s%s"):format(number, server, first and " first" or "")
end

---Joins the supervisor that has started this process; nil when none has. Once.
---@return sprylua.Member?
function M.join()
  local number, server, first = (os.getenv(M.VARIABLE) or ""):match "^(%d+) (%x+)(.*)$"
  if not number then
    return nil
  end
  uv.os_unsetenv(M.VARIABLE) -- what the app starts is no worker
  local self = setmetatable({ number = math.tointeger(number), server = server, first = first ~= "" }, Member)
  self.link = uplink.open(M.LINK, backbone.heard, function()
    backbone.heard "alone"
  end)
  backbone.connect(function(...)
    self.link:send(...)
  end)
  return self
end

---Waits until what the others have in common has come: topics that are declared are up to date then.
function Member:catch_up()
  local welcome, arrived = false, signal.new()
  backbone.on("welcome", function()
    welcome = true
    arrived:notify()
  end)
  backbone.tell "hello"
  arrived:wait(function()
    return welcome
  end)
end

---This worker serves.
---@param announcement string
function Member:ready(announcement)
  backbone.tell("ready", announcement)
end

return M
