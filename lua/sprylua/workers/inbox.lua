-- What has come over a link and was not delivered yet.

local framing = require "sprylua.workers.framing"
local tasks = require "sprylua.tasks"

local M = {}

---@class sprylua.Inbox
---@field private reader sprylua.MessageReader
---@field private receive fun(...: string)
---@field private closed boolean
local Inbox = {}
Inbox.__index = Inbox

---@param bytes string
function Inbox:add(bytes)
  self.reader:add(bytes)
end

---Delivers every message that is whole. What hears of one can raise, or be interrupted: then the others come later.
function Inbox:deliver()
  local done = false
  local _ <close> = tasks.defer(function()
    if not done then
      tasks.after(0, function()
        self:deliver()
      end)
    end
  end)
  while not self.closed do
    local message = self.reader:next()
    if not message then
      break
    end
    self.receive(table.unpack(message))
  end
  done = true
end

---No message is delivered any more.
function Inbox:close()
  self.closed = true
end

---@param receive fun(...: string) called with each message
---@return sprylua.Inbox
function M.new(receive)
  return setmetatable({ reader = framing.reader(), receive = receive, closed = false }, Inbox)
end

return M
