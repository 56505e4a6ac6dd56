-- What has come over a link and was not delivered yet.

local framing = require "sprylua.workers.framing"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Inbox
---@field private reader sprylua.MessageReader
---@field private receive fun(...: string)
---@field private closed boolean
---@field private unfinished boolean it is delivering, or has raised in that
---@field private later table closable: what is unfinished is delivered later
local Inbox = {}
Inbox.__index = Inbox

---@param bytes string
function Inbox:add(bytes)
  self.reader:add(bytes)
end

---Delivers every message that is whole. What hears of one can raise, or be interrupted: then the others come later.
function Inbox:deliver()
  self.unfinished = true
  local _ <close> = self.later
  while not self.closed do
    local message = self.reader:next()
    if not message then
      break
    end
    self.receive(table.unpack(message))
  end
  self.unfinished = false
end

---No message is delivered any more.
function Inbox:close()
  self.closed = true
end

---@param receive fun(...: string) called with each message
---@return sprylua.Inbox
function M.new(receive)
  local self = setmetatable({ reader = framing.reader(), receive = receive, closed = false, unfinished = false }, Inbox)
  self.later = tasks.defer(function()
    if self.unfinished then
      tasks.after(0, function()
        self:deliver()
      end)
    end
  end)
  return self
end

return M
