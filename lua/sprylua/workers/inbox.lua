-- What has come over a link and was not delivered yet. The limits for an app's Lua don't hold for its delivery: what
-- processes have in common stays the same in all of them.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local tasks = require "sprylua.tasks"

local M = {}

local AGAIN = 0.1 -- seconds after which there may be memory for what there was none

---@class sprylua.Inbox
---@field reader table of core.framing, to which is added what comes
---@field private receive fun(...: string)
---@field private closed boolean
---@field private unfinished boolean it is delivering, or has raised in that
---@field private later table closable: what is unfinished is delivered later
local Inbox = {}
Inbox.__index = Inbox

local function hand_over(self, what, ...)
  if what then
    self.receive(what, ...)
  end
  return what ~= nil
end

local function hand_over_all(self)
  repeat until self.closed or not hand_over(self, self.reader:next())
end

---Delivers every message that is whole. When one raises, the others come later.
function Inbox:deliver()
  self.unfinished = true
  local _ <close> = self.later
  core.sheltered(hand_over_all, self)
  self.unfinished = false
end

---No message is delivered any more.
function Inbox:close()
  self.closed = true
end

---@param receive fun(...: string) called with each message; runs no code of the app, and does not wait
---@return sprylua.Inbox
function M.new(receive)
  local self = setmetatable({
    reader = core.framing.reader(), receive = receive, closed = false, unfinished = false,
  }, Inbox)
  self.later = tasks.defer(function()
    if self.unfinished then
      clock.after(AGAIN, function()
        self:deliver()
      end)
    end
  end)
  return self
end

return M
