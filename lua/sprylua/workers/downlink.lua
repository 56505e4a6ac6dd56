-- The end of a worker's link in the process above it, which waits for nobody: what it sends in a turn of its loop goes
-- out together, and waits for the worker. One that takes nothing more while much waits for it is given up.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local inboxes = require "sprylua.workers.inbox"
local log = require "sprylua.log"
local net = require "sprylua.net"
local uv = require "luv"

local M = {}

local MUCH = 16 << 20 -- bytes that wait for the worker: is it still there?
local TOO_MUCH = 1 << 30 -- bytes that may wait for it at most
local PATIENCE = 5 -- seconds in which it should take something

---@class sprylua.DownlinkOptions
---@field receive fun(...: string) called with each message
---@field stuck fun() called once: the worker takes nothing more
---@field pressed fun() called when much waits for the worker, and whenever it has taken some of that

---@class sprylua.Downlink
---@field private options sprylua.DownlinkOptions
---@field private pipe table luv's
---@field private inbox sprylua.Inbox
---@field private output string[] what goes out in this turn
---@field private size integer bytes of that
---@field private write fun() writes it
---@field private told_pressed boolean? it was said that much waits
---@field private sent integer bytes that went out
---@field private heard integer bytes that have come
---@field private listens boolean
---@field private flush table luv's timer: this turn's output goes out
---@field private suspicion sprylua.Timer? much waits for the worker
local Downlink = {}
Downlink.__index = Downlink

---Ends it.
function Downlink:close()
  if not self.pipe:is_closing() then
    self.inbox:close()
    self.flush:close()
    self.pipe:close()
  end
end

local function give_up(self)
  self:close()
  self.options.stuck()
end

-- ── sending ─────────────────────────────────────────────────────────────────

---Bytes that wait for the worker.
---@return integer
function Downlink:waiting()
  return self.pipe:is_closing() and 0 or self.size + self.pipe:get_write_queue_size()
end

---Whether that is much.
---@return boolean
function Downlink:is_pressed()
  return self:waiting() > MUCH
end

-- What the worker has done: taken and said.
local function progress(self)
  return self.sent - self:waiting() + self.heard
end

-- Gives the worker its time to do something while much waits for it. One that we let wait can't.
local function suspect(self)
  local before = progress(self)
  self.suspicion = self.suspicion or clock.after(PATIENCE, function()
    self.suspicion = nil
    if not self:is_pressed() then
      return
    elseif self.listens and progress(self) == before then
      give_up(self)
    else
      suspect(self)
    end
  end)
end

local function check_pressure(self)
  local waiting = self:waiting()
  if waiting > TOO_MUCH then
    give_up(self)
  elseif waiting > MUCH then
    self.told_pressed = true
    suspect(self)
    self.options.pressed()
  end
end

-- Some of what waited was taken.
local function ease(self)
  if not self.pipe:is_closing() then
    self.told_pressed = self:is_pressed()
    self.options.pressed()
  end
end

local function write_output(self)
  local bytes = table.concat(self.output)
  self.output, self.size = {}, 0
  self.pipe:write(bytes, self.told_pressed and function()
    ease(self)
  end or nil)
end

---Sends what core.framing has made of a message.
---@param bytes string
function Downlink:put(bytes)
  if self.pipe:is_closing() then
    return
  end
  self.output[#self.output + 1] = bytes
  self.size, self.sent = self.size + #bytes, self.sent + #bytes
  if #self.output == 1 then
    self.flush:start(0, 0, self.write)
  end
  check_pressure(self)
end

---Sends a message.
---@param ... string
function Downlink:send(...)
  self:put(core.framing.encode(...))
end

-- ── listening ───────────────────────────────────────────────────────────────

---Hears the worker, or lets it wait.
---@param listens boolean
function Downlink:listen(listens)
  if listens == self.listens or self.pipe:is_closing() then
    return
  end
  self.listens = listens
  if not listens then
    self.pipe:read_stop()
    return
  end
  if self.suspicion then -- its time begins anew
    self.suspicion:cancel()
    self.suspicion = nil
    suspect(self)
  end
  self.pipe:read_start(function(problem, bytes)
    if problem or not bytes then
      return self:close()
    end
    self.heard = self.heard + #bytes
    self.inbox.reader:add(bytes)
    self.inbox:deliver()
  end)
end

local function take_rest(self)
  net.read(self.pipe:fileno(), self.inbox.reader, 0)
  self.inbox:deliver()
end

---The worker has ended. What it has said before counts, also when we let it wait.
function Downlink:finish()
  if self.pipe:is_closing() then
    return
  end
  local ok, raised = pcall(take_rest, self)
  if not ok then
    log.error("what a worker has said can't be dealt with: " .. tostring(raised))
  end
  self:close()
end

---@param descriptor integer of a socket, which the link owns from here on
---@param options sprylua.DownlinkOptions
---@return sprylua.Downlink
function M.open(descriptor, options)
  local self = setmetatable({
    options = options, pipe = uv.new_pipe(false), flush = uv.new_timer(), inbox = inboxes.new(options.receive),
    output = {}, size = 0, sent = 0, heard = 0, listens = false,
  }, Downlink)
  self.write = function()
    write_output(self)
  end
  self.pipe:open(descriptor)
  self:listen(true)
  return self
end

return M
