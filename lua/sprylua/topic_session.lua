-- `spry.serveTopics(ws, opts)`: a session whose client chooses the topics. JSON texts both ways:
--   client → {"subscribe":topic,"from":id?}  {"unsubscribe":topic}  {"publish":topic,"data":…}
--   server → {"topic":…,"subscribed":true,"recovered":…,"id":…}, then what was missed; {"topic":…,"error":…}
-- and what is published. sprylua.browser is a client for it. Only topics with a history are served: what is published
-- under another one goes out as it is, and could say that it is of whatever topic it likes.

local core = require "sprylua.core"
local json = require "sprylua.json"
local options = require "sprylua.options"
local publish = require "sprylua.publish"
local records = require "sprylua.topic_record"
local topics = require "sprylua.topics"

local M = {}

---@class sprylua.TopicSessionOptions
---@field allow (fun(topic: string, action: "subscribe"|"publish", ws: table): any)? may wait; without it everybody may
--- subscribe, and nobody publish
---@field message (fun(data: string, kind: "text"|"binary"))? what is none of these commands
---@field maxTopics integer? that one client may subscribe to at once (100)

local RULES = {
  allow = options.fn(function(_, action)
    return action == "subscribe"
  end),
  message = options.fn(function() end),
  maxTopics = options.integer(1, 100),
}

---@class sprylua.TopicSession
---@field ws table
---@field opts sprylua.TopicSessionOptions
---@field names table<string, true> subscribed
---@field count integer of them

local function refuse(self, topic, problem, action)
  self.ws:sendJson { topic = topic, error = problem, action = action }
end

local commands = {}

-- The answer comes before what was missed, so that the client knows what these messages are.
function commands.subscribe(self, topic, command)
  local ws, opts = self.ws, self.opts
  if not opts.allow(topic, "subscribe", ws) then
    return refuse(self, topic, "forbidden", "subscribe")
  elseif not records.find(topic) then
    return refuse(self, topic, "no topic", "subscribe")
  elseif not self.names[topic] and self.count >= opts.maxTopics then
    return refuse(self, topic, "too many topics", "subscribe")
  end
  local from = type(command.from) == "string" and command.from or nil
  local subscribed = topics.join(ws, topic, from, function(state)
    ws:sendJson { topic = topic, subscribed = true, recovered = state.recovered, id = state.id }
  end)
  if subscribed and not self.names[topic] then
    self.names[topic], self.count = true, self.count + 1
  end
end

function commands.unsubscribe(self, topic)
  if self.names[topic] then
    self.names[topic], self.count = nil, self.count - 1
    self.ws:unsubscribe(topic)
  end
end

-- To everybody, the client itself too: it learns the id of what it said, and its place among what others say.
function commands.publish(self, topic, command)
  if not self.opts.allow(topic, "publish", self.ws) then
    return refuse(self, topic, "forbidden", "publish")
  elseif not records.find(topic) then
    return refuse(self, topic, "no topic", "publish")
  end
  local receivers = publish.distribute(topic, command.data)
  if not receivers then
    refuse(self, topic, "no topic", "publish")
  end
end

local NAMES = { "subscribe", "unsubscribe", "publish" }

-- The command that a text is, and its topic; nil when it is none.
local function read(text)
  local value = json.decode(text)
  if type(value) ~= "table" then
    return nil
  end
  for _, name in ipairs(NAMES) do
    local topic = value[name]
    if type(topic) == "string" and (name ~= "publish" or value.data ~= nil) then
      return commands[name], topic, value
    end
  end
end

-- As the call of ws.events; what it raises (somebody else reads already) is a mistake of whoever called our caller.
local function next_event(events)
  local ok, kind, data = pcall(events)
  if not ok then
    error(kind, 3)
  end
  return kind, data
end

---Serves topics to the client of a session until it closes.
---@param ws table
---@param opts sprylua.TopicSessionOptions?
---@return integer code of the close
---@return string reason
function M.serveTopics(ws, opts)
  if type(ws) ~= "userdata" then
    error("spry.serveTopics takes the ws of a session: event.ws:upgrade(function(ws) spry.serveTopics(ws) end)", 2)
  elseif core.topic.drops(ws) then
    error("spry.serveTopics takes a ws with onSlow = \"close\": with \"drop\" a slow client would miss messages "
      .. "without being told", 2)
  end
  local self = { ws = ws, opts = options.read("spry.serveTopics", opts, RULES), names = {}, count = 0 }
  for kind, data in next_event, ws.events do
    local run, topic, command
    if kind == "text" then
      run, topic, command = read(data)
    end
    if run then
      run(self, topic, command)
    elseif kind ~= "close" then
      self.opts.message(data, kind)
    end
  end
  return ws.closeCode, ws.closeReason
end

return M
