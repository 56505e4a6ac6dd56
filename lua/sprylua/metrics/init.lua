-- What a server counts about itself, when the config has a path to show it at. Counting adds to numbers that are there:
-- what is made for a route, a method and a status is made once.

local clock = require "sprylua.clock"
local core = require "sprylua.core"
local event = require "sprylua.event"
local lazy = require "sprylua.lazy"
local others = lazy "sprylua.metrics.others" ---@module "sprylua.metrics.others"
local response = require "sprylua.response"
local text = lazy "sprylua.metrics.text" ---@module "sprylua.metrics.text"

local M = {}

-- Upper bounds, in seconds.
local BUCKETS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }

---@class sprylua.RouteNumbers
---@field path string
---@field requests table<string, table<integer, integer>> by method and status
---@field buckets integer[] answers within each bound and not within the one before; the last one: beyond all
---@field seconds number in all
---@field bytes integer in all

---@class sprylua.Metrics
---@field private routes sprylua.RouteNumbers[]
---@field private by_path table<string, sprylua.RouteNumbers>
---@field private by_entry table<function, sprylua.RouteNumbers>
---@field private lag number seconds
local Metrics = {}
Metrics.__index = Metrics

local function numbers_of(self, path)
  local route = self.by_path[path]
  if not route then
    route = { path = path, requests = {}, buckets = {}, seconds = 0, bytes = 0 }
    for i = 1, #BUCKETS + 1 do
      route.buckets[i] = 0
    end
    self.by_path[path], self.routes[#self.routes + 1] = route, route
  end
  return route
end

---Requests that `entry` answers are counted as those of a route.
---@param entry function
---@param path string as it is shown, with names for its parameters
function Metrics:name(entry, path)
  self.by_entry[entry] = numbers_of(self, path)
end

-- ── counting ────────────────────────────────────────────────────────────────

local function count_request(route, method, status)
  local statuses = route.requests[method]
  if not statuses then
    statuses = {}
    route.requests[method] = statuses
  end
  statuses[status] = (statuses[status] or 0) + 1
end

local function bucket_of(seconds)
  local bucket = 1
  while bucket <= #BUCKETS and seconds > BUCKETS[bucket] do
    bucket = bucket + 1
  end
  return bucket
end

---A request was answered.
---@param ev table
---@param status integer
---@param seconds number
---@param bytes integer
function Metrics:count(ev, status, seconds, bytes)
  local route = self.by_entry[core.request.entry(ev)] or numbers_of(self, "")
  count_request(route, ev.method, status)
  local bucket = bucket_of(seconds)
  route.buckets[bucket] = route.buckets[bucket] + 1
  route.seconds = route.seconds + seconds
  route.bytes = route.bytes + bytes
end

---A request was answered by its connection, before it had a route or in place of that.
---@param status integer
function Metrics:count_refused(status)
  count_request(numbers_of(self, ""), "", status)
end

---Looks once a second how late the loop is.
function Metrics:watch_loop()
  local due = clock.now() + 1
  self.watching = clock.after(1, function()
    self.lag = math.max(0, clock.now() - due)
    self:watch_loop()
  end)
end

---The app serves no more.
function Metrics:retire()
  if self.watching then
    self.watching:cancel()
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

local function add_requests(add, route)
  for method, statuses in pairs(route.requests) do
    for status, count in pairs(statuses) do
      add("sprylua_requests_total", { "route", route.path, "method", method, "status", status }, count)
    end
  end
end

local function add_histogram(add, route)
  local within = 0
  for i, count in ipairs(route.buckets) do
    within = within + count
    add("sprylua_request_seconds", { "route", route.path, "le", BUCKETS[i] or "+Inf" }, within, "_bucket")
  end
  add("sprylua_request_seconds", { "route", route.path }, route.seconds, "_sum")
  add("sprylua_request_seconds", { "route", route.path }, within, "_count")
end

local function measure(self)
  local families, add = collection(event.context.worker)
  for _, route in ipairs(self.routes) do
    if next(route.requests) then
      add_requests(add, route)
      add_histogram(add, route)
      add("sprylua_response_bytes_total", { "route", route.path }, route.bytes)
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
  local self = setmetatable({ routes = {}, by_path = {}, by_entry = {}, lag = 0.0 }, Metrics)
  others.answer(function()
    return measure(self)
  end)
  return self
end

return M
