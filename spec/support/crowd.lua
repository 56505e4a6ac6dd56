-- Clients in great number for a server under load: subscribers that come back where they were when they lose their
-- connection, publishers, and plain HTTP clients. Each keeps a record of what happened to it; all of them live on luv's
-- loop, and go on whenever a spec runs it. Only spec/socket uses this.

local frames = require "sprylua.testing.frames"
local json = require "sprylua.json"
local testing = require "sprylua.testing"
local uv = require "luv"

local M = {}

local RETRY = 20 -- ms until a client that lost its connection comes back
local MOST_IDLE = 0.5e9 -- ns after which a connection is not used again: the server may be about to close it

-- ── a connection ────────────────────────────────────────────────────────────

---@class spec.crowd.Connection
---@field open boolean
---@field struck boolean it was open when a worker was killed
local Connection = {}
Connection.__index = Connection

local function finish(self)
  if not self.open then return end
  self.open = false
  self.tcp:close()
  self.over()
end

-- `connected()` is called when there is a connection, `take(bytes)` gets what comes, `over()` hears of the end.
local function dial(crowd, connected, take, over)
  local self = setmetatable({ open = true, tcp = uv.new_tcp(), over = over }, Connection)
  crowd.connections[self] = true
  self.tcp:connect("127.0.0.1", crowd.port, function(problem)
    if not self.open then return end
    if problem then
      crowd:complain("a connection was refused: " .. problem)
      return finish(self)
    end
    self.take = take
    self:resume()
    connected()
  end)
  return self
end

function Connection:resume()
  if not (self.open and self.take) then return end
  self.tcp:read_start(function(problem, bytes)
    if problem or not bytes then return finish(self) end
    self.take(bytes)
  end)
end

function Connection:stall()
  if self.open and self.take then self.tcp:read_stop() end
end

function Connection:send(bytes)
  if self.open then self.tcp:write(bytes) end
end

-- ── subscribers ─────────────────────────────────────────────────────────────

---@class spec.crowd.Stay from when a subscriber was subscribed until it lost its connection
---@field begun table<integer, integer>? by publisher: how many it had begun before; nil before it was subscribed
---@field news { [1]: integer, [2]: integer }[] publisher and number of each message of the live topic
---@field newest table<integer, integer> the last number of each publisher
---@field over boolean

---@class spec.crowd.Subscriber
---@field stays spec.crowd.Stay[]
---@field kept { id: string, [1]: integer, [2]: integer }[] of the topic with a history, over all stays
---@field newest table<integer, integer> the last number of each publisher there
---@field codes table<integer, integer> how often it was closed with what
local Subscriber = {}
Subscriber.__index = Subscriber

-- Notes a message in a list of them, and in what was the newest of its publisher.
local function note(list, newest, text)
  local publisher, number = text:match "^(%d+) (%d+) "
  publisher, number = tonumber(publisher), tonumber(number)
  local message = { publisher, number }
  list[#list + 1], newest[publisher] = message, number
  return message
end

local function take_message(self, payload)
  if payload:sub(1, 1) ~= "{" then
    note(self.stay.news, self.stay.newest, payload)
    return
  end
  local message = json.decode(payload)
  if message.subscribed then
    if self.last and not message.recovered then self.crowd:complain "a client did not get back what it had missed" end
    self.subscribed, self.last = true, self.last or message.id
    self.stay.begun = self.crowd:begun()
  elseif message.id then
    note(self.kept, self.newest, message.data).id = message.id
    self.last = message.id
  end
end

local function take_frame(self, frame)
  if frame.opcode == frames.opcodes.close then
    local code = frames.parseClose(frame.payload)
    self.codes[code] = (self.codes[code] or 0) + 1
    self.connection:send(frames.encode { opcode = "close", payload = frame.payload })
  elseif frame.opcode == frames.opcodes.ping then
    self.connection:send(frames.encode { opcode = "pong", payload = frame.payload })
  else
    take_message(self, frame.payload)
  end
end

local function take_bytes(self, bytes)
  local input = self.input .. bytes
  if not self.open then
    local _, last = input:find("\r\n\r\n", 1, true)
    if last then
      if not input:find "^HTTP/1%.1 101 " then self.crowd:complain("no handshake: " .. input) end
      input, self.open = input:sub(last + 1), true
      self.connection:send(frames.encode { opcode = "text", payload = self.last or "" })
    end
  end
  local from = 1
  while self.open do
    local frame, after = frames.decode(input, from)
    if not frame then break end
    from = after
    take_frame(self, frame)
  end
  self.input = input:sub(from)
end

function Subscriber:connect()
  self.input, self.open, self.subscribed = "", false, false
  self.stay = { news = {}, newest = {} }
  self.stays[#self.stays + 1] = self.stay
  self.connection = dial(self.crowd, function()
    self.connection:send(testing.handshake "/room")
  end, function(bytes) take_bytes(self, bytes) end, function()
    self.stay.over = true
    self.crowd:later(function() self:connect() end)
  end)
end

---Takes nothing for a while, as a client whose network is gone.
function Subscriber:stall(milliseconds)
  local connection = self.connection
  connection:stall()
  self.crowd:later(function() connection:resume() end, milliseconds)
end

-- ── HTTP clients ────────────────────────────────────────────────────────────

-- One request after the other, as long as a connection lasts. `exchange` has `request()`, which makes one, and
-- `answered(status, body)`.
local function converse(crowd, exchange)
  local input, waiting, answers = "", false, 0
  local used, asked = uv.hrtime(), nil -- when the connection was used last, at the earliest; when a request was sent
  local connection
  local function wait(is_waiting)
    waiting = is_waiting
    crowd.waiting = crowd.waiting + (is_waiting and 1 or -1)
  end
  local function complain()
    local waited, pause = (uv.hrtime() - asked) // 1000000, (asked - used) // 1000000
    crowd:complain(("%s: request %d of a connection had no answer, only %q, after %d ms; %d ms after the one before")
      :format(os.date "%H:%M:%S", answers + 1, input, waited, pause))
  end

  local function ask()
    if not connection.open then return end
    asked = uv.hrtime()
    if crowd.ended or asked - used > MOST_IDLE then return finish(connection) end
    wait(true)
    connection:send(exchange.request())
  end
  local function take(bytes)
    input = input .. bytes
    local head, rest = input:match "^(.-\r\n)\r\n(.*)$"
    local length = head and tonumber(head:lower():match "content%-length: (%d+)")
    if not length or #rest < length then return end
    input = rest:sub(length + 1)
    wait(false)
    used, answers = crowd.looked, answers + 1
    exchange.answered(tonumber(head:match "^HTTP/1%.1 (%d+)"), rest:sub(1, length))
    if head:lower():find "connection: close" then return finish(connection) end
    crowd:later(ask, exchange.pause)
  end
  connection = dial(crowd, ask, take, function()
    if waiting then
      wait(false)
      if not connection.struck then complain() end
    end
    if not crowd.ended then crowd:later(exchange.again) end
  end)
end

local function expect_ok(crowd, status)
  if status ~= 200 then crowd:complain("a request was answered with " .. tostring(status)) end
end

local function visit(crowd)
  converse(crowd, {
    pause = 10, again = function() visit(crowd) end,
    request = function() return "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n" end,
    answered = function(status)
      expect_ok(crowd, status)
      crowd.visits = crowd.visits + 1
    end,
  })
end

---@class spec.crowd.Publisher one connection that publishes: a worker's
---@field begun integer
---@field done integer those that were answered
---@field topic "news"|"kept"
---@field struck boolean its worker may be one that was killed

-- What is published has a publisher and a number, so that each can be found again.
local function publish(crowd, topic)
  local number = #crowd.publishers + 1
  local publisher = { begun = 0, done = 0, topic = topic }
  crowd.publishers[number] = publisher
  converse(crowd, {
    pause = 20,
    again = function() publish(crowd, topic) end,
    request = function()
      publisher.begun = publisher.begun + 1
      local text = ("%d %d %s"):format(number, publisher.begun, ("x"):rep(crowd.random(2000)))
      return ("POST /publish?to=%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(topic, #text, text)
    end,
    answered = function(status, body)
      expect_ok(crowd, status)
      publisher.done, publisher.pid = publisher.begun, tonumber(body)
    end,
  })
end

-- ── all of them ─────────────────────────────────────────────────────────────

---@class spec.Crowd
---@field subscribers spec.crowd.Subscriber[]
---@field publishers spec.crowd.Publisher[]
---@field visits integer answered requests that were just that
---@field waiting integer requests that have no answer yet
---@field looked integer when the loop looked for what has come, the time before this one: it may have come since then
---@field complaints string[] what must not happen, and did
---@field ended boolean
local Crowd = {}
Crowd.__index = Crowd

function Crowd:complain(sentence)
  self.complaints[#self.complaints + 1] = sentence
end

function Crowd:later(fn, milliseconds)
  local timer = uv.new_timer()
  timer:start(milliseconds or RETRY, 0, function()
    timer:close()
    if not self.closed then fn() end
  end)
end

---How many messages each publisher has begun to publish.
function Crowd:begun()
  local list = {}
  for number, publisher in ipairs(self.publishers) do list[number] = publisher.begun end
  return list
end

---A worker is about to be killed: whoever is connected now may have been its client.
function Crowd:strike()
  for connection in pairs(self.connections) do
    if connection.open then connection.struck = true else self.connections[connection] = nil end
  end
end

---No more requests; subscribers stay.
function Crowd:settle() self.ended = true end

---Everybody goes.
function Crowd:close()
  if self.closed then return end
  self.ended, self.closed = true, true
  self.clock:close()
  for connection in pairs(self.connections) do finish(connection) end
end

---Whether all have subscribed.
function Crowd:isListening()
  for _, subscriber in ipairs(self.subscribers) do
    if not subscriber.subscribed then return false end
  end
  return true
end

---The load begins.
---@param publishers integer
---@param visitors integer
function Crowd:start(publishers, visitors)
  for i = 1, publishers do publish(self, i % 2 == 0 and "news" or "kept") end
  for _ = 1, visitors do visit(self) end
end

---@param port integer
---@param random fun(n: integer): integer from 1 to n
---@param subscribers integer
---@return spec.Crowd
function M.gather(port, random, subscribers)
  local crowd = setmetatable({
    port = port, random = random, connections = {}, subscribers = {}, publishers = {}, complaints = {}, visits = 0,
    waiting = 0, ended = false, clock = uv.new_prepare(),
  }, Crowd)
  local looks = uv.hrtime()
  crowd.clock:start(function() crowd.looked, looks = looks, uv.hrtime() end)
  for i = 1, subscribers do
    crowd.subscribers[i] = setmetatable({ crowd = crowd, stays = {}, kept = {}, newest = {}, codes = {} }, Subscriber)
    crowd.subscribers[i]:connect()
  end
  return crowd
end

return M
