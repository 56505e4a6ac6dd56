-- What a server counts about itself, when the config has a path to show it at. Answers are counted in C, by route; what
-- a scrape shows is made of that when it comes.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local event = require "sprylua.event"
local lazy = require "sprylua.lazy"
local others = lazy "sprylua.metrics.others" ---@module "sprylua.metrics.others"
local response = require "sprylua.response"
local text = lazy "sprylua.metrics.text" ---@module "sprylua.metrics.text"

local M = {}

---@class sprylua.Metrics they go on when new code comes in
---@field private routes { path: string, tally: table }[]
---@field private by_path table<string, table> core.tally
---@field private lag number seconds
local Metrics = {}
Metrics.__index = Metrics

---What counts the answers of a route.
---@param path string as it is shown, with names for its parameters; "": what no route has answered
---@return table tally for core.app
function Metrics:tally(path)
  local tally = self.by_path[path]
  if not tally then
    tally = core.tally()
    self.by_path[path], self.routes[#self.routes + 1] = tally, { path = path, tally = tally }
  end
  return tally
end

---A request was answered by its connection, before it had a route or in place of that.
---@param status integer
function Metrics:count_refused(status)
  self:tally(""):refuse(status)
end

---Looks once a second how late the loop is, if it does not yet.
function Metrics:watch_loop()
  if self.watching then
    return
  end
  local due = clock.now() + 1
  self.watching = clock.after(1, function()
    self.lag, self.watching = math.max(0, clock.now() - due), nil
    self:watch_loop()
  end)
end

---Nobody shows them any more.
function Metrics:rest()
  if self.watching then
    self.watching:cancel()
    self.watching = nil
  end
end

-- What `core.stats` and `core.counters` call the numbers, beside what they are called here.
local STATS = {
  connections = "connections", sessions = "sessions", topics = "topics", subscriptions = "subscriptions",
  buffered = "buffered_bytes", accepted = "accepted_total",
  bytesIn = "received_bytes_total", bytesOut = "sent_bytes_total",
  messagesIn = "messages_received_total", messagesOut = "messages_sent_total",
  messagesDropped = "messages_dropped_total", slowCloses = "slow_closes_total",
}

-- ── showing ─────────────────────────────────────────────────────────────────

local function resident_bytes()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmRSS:%s*(%d+) kB"
    if size then
      return math.tointeger(tonumber(size)) * 1024
    end
  end
end

-- Samples of one worker, by family.
local function collection(worker)
  local families = {}
  return families, function(family, labels, value, suffix)
    local lines = families[family] or {}
    families[family] = lines
    lines[#lines + 1] = text.sample(family .. (suffix or ""), { "worker", worker, table.unpack(labels) }, value)
  end
end

local function add_requests(add, path, answers)
  for _, found in ipairs(answers) do
    add("sprylua_requests_total", { "route", path, "method", found.method, "status", found.status }, found.count)
  end
end

local function add_histogram(add, path, numbers)
  local within = 0
  for i, count in ipairs(numbers.buckets) do
    within = within + count
    add("sprylua_request_seconds", { "route", path, "le", core.tallyBounds[i] or "+Inf" }, within, "_bucket")
  end
  add("sprylua_request_seconds", { "route", path }, numbers.seconds, "_sum")
  add("sprylua_request_seconds", { "route", path }, within, "_count")
end

local function measure(self)
  local families, add = collection(event.context.worker)
  for _, route in ipairs(self.routes) do
    local numbers = route.tally:read()
    if #numbers.answers > 0 then
      add_requests(add, route.path, numbers.answers)
      add_histogram(add, route.path, numbers)
      add("sprylua_response_bytes_total", { "route", route.path }, numbers.bytes)
    end
  end
  local stats, counters = core.stats(), core.counters()
  for name, shown in pairs(STATS) do
    add("sprylua_" .. shown, {}, stats[name] or counters[name])
  end
  add("sprylua_lua_bytes", {}, math.floor(collectgarbage "count" * 1024))
  add("sprylua_loop_lag_seconds", {}, self.lag)
  add("sprylua_resident_bytes", {}, resident_bytes())
  return families
end

---The handler that shows the numbers of all workers.
---@return fun(): sprylua.Response
function Metrics:handler()
  return function()
    local measured = others.ask()
    table.insert(measured, 1, measure(self))
    local answer = response.Response.text(text.join(measured))
    answer.headers:set("Content-Type", text.TYPE)
    answer.headers:set("Cache-Control", "no-store")
    return answer
  end
end

---@return sprylua.Metrics
function M.new()
  local self = setmetatable({ routes = {}, by_path = {}, lag = 0.0 }, Metrics)
  others.answer(function()
    return measure(self)
  end)
  return self
end

return M
