-- The loads: what the client asks for, and what that is compared with.

---@class bench.Load
---@field name string
---@field title string
---@field kind "traffic"|"pause"|"workers"|"idle"|"start"
---@field path string
---@field connections integer
---@field options string[] more of the client's options
---@field body boolean? a JSON of 1 KiB is posted
---@field prepare string? a path that the server is asked for before the load, once
---@field only table<string, true>? the servers that can take it, by name
---@field routes integer? so many routes the server has, beside the others
---@field base { load: bench.Load, figure: string }? the load whose figure this one's is divided by

local function http(name, title, path, more)
  local load = { name = name, title = title, path = path, kind = "traffic", connections = 64, options = {} }
  for key, value in pairs(more or {}) do load[key] = value end
  return load
end

local hello = http("hello", "HTTP hello", "/")

-- What is measured by how it compares with hello.
local function route(name, title, path, more)
  local load = http(name, title, path, more)
  load.base = { load = hello, figure = "per_cpu" }
  return load
end

local function echo(name, title, options)
  return http(name, "WebSocket echo, " .. title, "/echo", { options = { "-w", table.unpack(options) } })
end

local function fan_out(name, title, connections, options)
  return http(name, "WebSocket fan-out, " .. title, "/subscribe", {
    connections = connections, options = { "-f", "/publish", table.unpack(options) },
  })
end

local function events_fan_out(name, title, connections)
  return http(name, title, "/follow", { connections = connections, options = { "-e", "-f", "/announce" } })
end

-- One connection, so that what an answer takes is its own making, and what stops the loop.
local function pause(name, title, prepare)
  return {
    name = name, title = title, kind = "pause", path = "/garbage", connections = 1, options = {}, prepare = prepare,
    only = { sprylua = true },
  }
end

-- The client shares the cores with two workers, so each answer takes a millisecond of Lua.
local function workers(name, title, options)
  return {
    name = name, title = title, kind = "workers", path = "/work", connections = 16, options = options,
    only = { sprylua = true },
  }
end

local many = fan_out("fan-out-99", "99 subscribers, 1 KiB", 99, { "-b", "1024" })
local stalled = fan_out("fan-out-stalled", "99 subscribers, 1 KiB, and one that never reads", 99,
  { "-b", "1024", "-x", "1" })
stalled.base = { load = many, figure = "p99" }

---@type bench.Load[]
local list = {
  hello,
  http("hello-16", "HTTP hello, 16 pipelined", "/", { options = { "-o", "16" } }),
  route("hello-10", "HTTP hello, 10 connections", "/", { connections = 10 }),
  route("hello-1000", "HTTP hello, 1,000 connections", "/", { connections = 1000 }),
  route("hello-10000", "HTTP hello, 10,000 connections", "/", { connections = 10000 }),

  route("json", "A JSON response of five fields", "/json"),
  route("route", "Two parameters, a query, three middlewares", "/users/7/posts/42?fields=full"),
  route("post", "POST of 1 KiB JSON", "/orders", { body = true }),
  route("file", "A file of 64 KiB", "/file.html"),
  route("events", "A stream of ten server-sent events", "/events"),
  route("routes-100", "One of 100 routes", "/section100/7", { routes = 100 }),
  route("routes-10000", "One of 10,000 routes", "/section10000/7", { routes = 10000 }),

  echo("echo", "64 bytes", {}),
  echo("echo-16", "64 bytes, 16 outstanding", { "-o", "16" }),
  echo("echo-16k", "16 KiB", { "-b", "16384" }),
  echo("echo-16k-16", "16 KiB, 16 outstanding", { "-b", "16384", "-o", "16" }),

  fan_out("fan-out", "1,000 subscribers, 64 bytes", 1000, {}),
  fan_out("fan-out-8", "1,000 subscribers, 64 bytes, 8 in flight", 1000, { "-o", "8" }),
  many,
  stalled,
  events_fan_out("fan-out-events", "Server-sent events fan-out, 1,000 readers, 64 bytes", 1000),

  pause("pause-records", "200 MB of records", "/heap/records/200"),
  pause("pause-flat", "one table of 650,000 items", "/heap/flat/200"),

  workers("workers-http", "HTTP", {}),
  workers("workers-websocket", "WebSocket", { "-w" }),

  { name = "start", kind = "start" },
  { name = "idle-http", title = "idle HTTP", kind = "idle", path = "/", connections = 10000, options = {} },
  { name = "idle-websocket", title = "idle WebSocket", kind = "idle", path = "/echo", connections = 10000,
    options = { "-w" } },
}

local M = { list = list, by_name = {} }
for _, load in ipairs(list) do M.by_name[load.name] = load end

---The same load, small enough to see in no time whether it works at all.
---@param load bench.Load
---@return bench.Load
function M.small(load)
  local small = {}
  for key, value in pairs(load) do small[key] = value end
  small.connections = load.connections and math.min(load.connections, 20)
  small.base = load.base and { load = M.small(load.base.load), figure = load.base.figure }
  small.prepare = load.prepare and load.prepare:gsub("%d+$", "1")
  if load.routes then
    small.routes = math.min(load.routes, 100)
    small.path = ("/section%d/7"):format(small.routes)
  end
  return small
end

return M
