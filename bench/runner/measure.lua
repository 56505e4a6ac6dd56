-- One load on one server: starts both, looks at their processor time and memory, ends both.

local uv = require "luv"
local process = require "bench.runner.process"
local project = require "bench.runner.project"

local M = {}

local SERVER_CORE, CLIENT_CORE = 0, 1
local START_SECONDS = 60 -- 10,000 routes under a sanitizer take a while
local REQUEST = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

-- ── starting a server ───────────────────────────────────────────────────────

local function free_port()
  local socket = uv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  return port
end

-- One try to get an answer.
local function answers(port, path)
  local socket, status = uv.new_tcp(), nil
  socket:connect("127.0.0.1", port, function(err)
    if err then
      status = "refused"
      return
    end
    socket:write(REQUEST:format(path))
    socket:read_start(function(_, text) status = text and text:match "^HTTP/1.1 200" or "refused" end)
  end)
  process.wait(START_SECONDS, function() return status end)
  socket:close()
  return status ~= nil and status ~= "refused"
end

local function ended_early(name, server)
  error(("%s did not start: %s"):format(name, table.concat(server.lines, "\n")), 0)
end

---@return bench.Process server that has given its first answer
---@return number seconds until then
local function start(spec, place, core)
  place.port = free_port()
  local words, environment = spec.command(place)
  local began = uv.hrtime()
  local server = process.start(words, { core = core, environment = environment })
  while not answers(place.port, "/") do
    local waited = (uv.hrtime() - began) / 1e9
    if server.code or waited > START_SECONDS then
      server:stop()
      ended_early(spec.name, server)
    end
    process.sleep(0.001)
  end
  return server, (uv.hrtime() - began) / 1e9
end

-- ── the client ──────────────────────────────────────────────────────────────

local function client_words(load, place, seconds)
  local words = { place.build .. "/bench/load", "-c", tostring(load.connections), "-s", tostring(seconds) }
  table.move(load.options, 1, #load.options, #words + 1, words)
  if load.body then table.move({ "-p", place.scratch .. "/order.json" }, 1, 2, #words + 1, words) end
  if load.kind == "idle" then words[#words + 1] = "-i" end
  table.move({ tostring(place.port), load.path }, 1, 2, #words + 1, words)
  return words
end

-- Waits for a line of the client that matches, and says what it said instead when there is none.
local function expect(client, pattern, seconds)
  local line = client:line(seconds)
  if line and line:find(pattern) then return line end
  error(line or "the client said nothing", 0)
end

-- ── the kinds of loads ──────────────────────────────────────────────────────

local kinds = {}

-- The client says when it begins to measure and when it has ended; between the two the server's time counts.
function kinds.traffic(server, client, _, seconds)
  expect(client, "^open", 90)
  expect(client, "^measuring", seconds + 60)
  local cpu, began = server:cpu_seconds(), uv.hrtime()
  local line = expect(client, "^count=", seconds + 60)
  local took = (uv.hrtime() - began) / 1e9
  local busy = (server:cpu_seconds() - cpu) / took
  local said = {}
  for name, value in line:gmatch "(%w+)=(%S+)" do said[name] = tonumber(value) end
  local per_second = said.count / said.seconds
  return {
    per_second = per_second, per_cpu = per_second / math.max(busy, 1e-6), busy = busy, client = said.busy,
    p50 = said.p50, p99 = said.p99, longest = said.longest / 1e3, peak = server:memory "VmHWM" / 1024,
  }
end

kinds.pause = kinds.traffic

function kinds.workers(_, client, _, seconds)
  expect(client, "^open", 90)
  expect(client, "^measuring", seconds + 60)
  local count, took = expect(client, "^count=", seconds + 60):match "^count=(%S+).-seconds=(%S+)"
  return { per_second = tonumber(count) / tonumber(took) }
end

function kinds.idle(server, client, load, _, resident)
  expect(client, "^open", 90)
  process.sleep(1.5) -- idle is when nobody has said anything for a while, and what that left behind is tidied up
  return { bytes = (server:memory "VmRSS" - resident) * 1024 / load.connections }
end

-- ── measuring ───────────────────────────────────────────────────────────────

-- Not pinned: what does that would count as the server's own start.
local function measure_start(spec, place)
  local server, seconds = start(spec, place, nil)
  local sample = { milliseconds = seconds * 1e3, resident = server:memory "VmRSS" / 1024 }
  server:stop()
  return sample
end

-- Puts a load on a server that runs.
local function run(server, load, place, seconds)
  if load.prepare and not answers(place.port, load.prepare) then
    error(("the server has no %s"):format(load.prepare), 0)
  end
  local resident = server:memory "VmRSS"
  local core = load.kind ~= "workers" and CLIENT_CORE or nil
  local client = process.start(client_words(load, place, seconds), { core = core })
  local done, sample = pcall(kinds[load.kind], server, client, load, seconds, resident)
  client:stop()
  if not done then error(sample, 0) end
  return sample
end

-- The same server has the load's base first: minutes later the machine may do something else beside it.
local function with_base(server, load, place, seconds)
  local base = load.base and run(server, load.base.load, place, seconds)
  local sample = run(server, load, place, seconds)
  if base then sample.ratio = sample[load.base.figure] / base[load.base.figure] end
  return sample
end

-- The same on one worker and on two, wherever the system puts them.
local function measure_workers(spec, load, place, seconds)
  local rates = {}
  for count = 1, 2 do
    place.workers = count
    local server = start(spec, place, nil)
    local done, sample = pcall(run, server, load, place, seconds)
    server:stop()
    place.workers = nil
    if not done then error(sample, 0) end
    rates[count] = sample.per_second
  end
  return { one = rates[1], two = rates[2], ratio = rates[2] / rates[1] }
end

---Raises what went wrong, in a sentence.
---@param spec bench.Server
---@param load bench.Load
---@param place bench.Place
---@return table sample
function M.measure(spec, load, place, seconds)
  place.sections = load.routes or 0
  if load.kind == "start" then return measure_start(spec, place) end
  if load.kind == "workers" then return measure_workers(spec, load, place, seconds) end
  project.make_sections(place, place.sections)
  local server = start(spec, place, SERVER_CORE)
  local done, sample = pcall(with_base, server, load, place, seconds)
  server:stop()
  if not done then error(sample, 0) end
  return sample
end

return M
