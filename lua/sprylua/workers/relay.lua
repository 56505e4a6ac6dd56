-- What the workers of a server have in common, in the process above them: it carries what is published from one to the
-- others, numbers the messages of topics with a history, and knows who is present. So it knows the same as all of them,
-- and tells it to those who come later.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local history = require "sprylua.history"
local shared_commands = require "sprylua.shared_commands"
local shared_store = require "sprylua.shared_store"

local M = {}

local TIDY_AFTER = 1 -- seconds
local PART = 1000 -- messages of a history that are sent together

---@class sprylua.RelayedPresence
---@field meta string
---@field order string

---@class sprylua.Relay
---@field private workers table<sprylua.Worker, true>
---@field private histories table<string, sprylua.History> by topic
---@field private store sprylua.SharedStore
---@field private alone sprylua.Worker? who is heard while much waits for him
---@field private tidying sprylua.Timer?
---@field private present table<sprylua.Worker, table<string, table<string, sprylua.RelayedPresence>>> then by topic and
--- key
local Relay = {}
Relay.__index = Relay

-- ── carrying ────────────────────────────────────────────────────────────────

local function tell_others(self, worker, ...)
  local message = core.framing.encode(...)
  for other in pairs(self.workers) do
    if other ~= worker then
      other.link:put(message)
    end
  end
end

local heard = {}

-- A message of a topic without a history: it has been delivered where it was published.
function heard.publish(self, worker, ...)
  tell_others(self, worker, "publish", ...)
end

-- ── histories ───────────────────────────────────────────────────────────────

-- In parts: Lua returns no more than a million values at once.
local function restore(worker, name, kept)
  local first = kept.first
  repeat
    local messages, last = {}, math.min(first + PART - 1, kept.last)
    for offset = first, last do
      messages[#messages + 1] = kept:is_encoded(offset) and "json" or ""
      messages[#messages + 1] = kept:text(offset)
    end
    worker.link:send("restore", name, kept.epoch, tostring(first), table.unpack(messages))
    first = last + 1
  until first > kept.last
end

function heard.declare(self, worker, name, count, bytes)
  count, bytes = math.tointeger(tonumber(count)), math.tointeger(tonumber(bytes))
  local kept = self.histories[name]
  if kept then
    kept:resize(count, bytes)
  else
    kept = history.new(count, bytes)
    self.histories[name] = kept
  end
  restore(worker, name, kept)
end

-- `token` is the publisher's, for himself.
function heard.append(self, worker, name, encoding, text, token)
  local kept = self.histories[name]
  local offset = tostring(kept:add(text, encoding == "json"))
  worker.link:send("appended", name, kept.epoch, offset, encoding, text, token)
  tell_others(self, worker, "appended", name, kept.epoch, offset, encoding, text, "")
end

-- A worker that leaves has messages that Redis has not confirmed: another one goes on with them.
function heard.inherit(self, worker, ...)
  for other in pairs(self.workers) do
    if other ~= worker and other.state == "serving" then
      return other.link:send("inherit", ...)
    end
  end
end

-- ── presence ────────────────────────────────────────────────────────────────

function heard.join(self, worker, name, key, meta, order)
  local topics = self.present[worker]
  topics[name] = topics[name] or {}
  topics[name][key] = { meta = meta, order = order }
  tell_others(self, worker, "join", name, key, meta, order)
end

function heard.leave(self, worker, name, key)
  local topic = self.present[worker][name]
  if topic then
    topic[key] = nil
    self.present[worker][name] = next(topic) and topic
  end
  tell_others(self, worker, "leave", name, key)
end

local function tell_who_is_present(self, worker)
  for other, topics in pairs(self.present) do
    for name, members in pairs(other ~= worker and topics or {}) do
      for key, member in pairs(members) do
        worker.link:send("present", name, key, member.meta, member.order)
      end
    end
  end
end

-- ── shared tables ───────────────────────────────────────────────────────────

function heard.shared(self, worker, token, ...)
  worker.link:send("shared", token, shared_commands.run(self.store, ...))
end

-- ── numbers ─────────────────────────────────────────────────────────────────

-- A worker wants the numbers of the others, and is told how many will answer.
function heard.measure(self, worker, token)
  local count = 0
  for other in pairs(self.workers) do
    if other ~= worker and other.state == "serving" then
      count = count + 1
      other.link:send("measureFor", tostring(worker.pid), token)
    end
  end
  worker.link:send("measuring", token, tostring(count))
end

function heard.measured(self, _, pid, token, numbers)
  for other in pairs(self.workers) do
    if tostring(other.pid) == pid then
      other.link:send("measured", token, numbers)
    end
  end
end

-- ── coming and going ────────────────────────────────────────────────────────

---Takes a new worker in.
---@param worker sprylua.Worker
function Relay:add(worker)
  self.workers[worker], self.present[worker] = true, {}
end

-- What it is called among the processes of other servers.
function heard.identify(_, worker, name)
  worker.name = name
end

-- It has asked for its topics before: the answers are on their way in front of this one.
function heard.hello(self, worker)
  worker.greeted = true
  tell_who_is_present(self, worker)
  worker.link:send "welcome"
end

---A worker is gone, and so are those who were present there.
---@param worker sprylua.Worker
function Relay:remove(worker)
  local topics = self.present[worker] or {}
  self.workers[worker], self.present[worker] = nil, nil
  for name, members in pairs(topics) do
    for key in pairs(members) do
      tell_others(self, worker, "leave", name, key)
    end
  end
  if worker.name then
    tell_others(self, worker, "died", worker.name)
  end
  self:balance()
end

-- The worker for whom the most waits, when that is much.
local function fullest(self)
  local found
  for worker in pairs(self.workers) do
    if worker.link:is_pressed() and (not found or worker.link:waiting() > found.link:waiting()) then
      found = worker
    end
  end
  return found
end

---Much waits for a worker. Until it has taken that, it alone is heard: the others wait with what they publish, and that
---one can come to an end with what it does, and take what waits.
function Relay:balance()
  local alone = self.alone
  if not (alone and self.workers[alone] and alone.link:is_pressed()) then
    alone = fullest(self)
  end
  self.alone = alone
  for worker in pairs(self.workers) do
    worker.link:listen(not alone or worker == alone)
  end
  if alone and not self.tidying then
    self.tidying = clock.after(TIDY_AFTER, function()
      self.tidying = nil
      collectgarbage() -- what has waited, which nobody may make room for soon
    end)
  end
end

---A worker has sent a message.
---@param worker sprylua.Worker
---@param what string
---@param ... string
function Relay:heard(worker, what, ...)
  local listener = heard[what]
  if listener then
    listener(self, worker, ...)
  end
end

---@return sprylua.Relay
function M.new()
  return setmetatable({ workers = {}, histories = {}, present = {}, store = shared_store.new() }, Relay)
end

return M
