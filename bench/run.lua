-- The runner, started by bench/run: every load on every server in turn (A B C, then A B C again), then the tables.

local argparse = require "argparse"
local uv = require "luv"
local loads = require "bench.runner.loads"
local measure = require "bench.runner.measure"
local process = require "bench.runner.process"
local project = require "bench.runner.project"
local report = require "bench.runner.report"
local servers = require "bench.runner.servers"

local root, build, program = table.unpack(arg, 1, 3)

local function say(format, ...)
  io.stderr:write(format:format(...), "\n")
end

-- ── what is asked for ───────────────────────────────────────────────────────

local function names_of(list)
  local names = {}
  for i, entry in ipairs(list) do names[i] = entry.name end
  return names
end

-- Turns "a,b" into the entries of these names.
local function chosen(of, what)
  return function(text)
    local list = {}
    for name in text:gmatch "[^,]+" do
      local entry = of.by_name[name]
      if not entry then
        return nil, ("there is no %s %q; there are %s"):format(what, name, table.concat(names_of(of.list), ", "))
      end
      list[#list + 1] = entry
    end
    return list
  end
end

local function positive(text)
  local value = tonumber(text)
  return value and value > 0 and value or nil, "a number above 0 is wanted"
end

local function options()
  local parser = argparse("bench/run", "Measures servers side by side; see bench/README.md.")
  parser:option("-n --servers", "Which servers, separated by commas."):convert(chosen(servers, "server"))
    :default(table.concat(names_of(servers.list), ","))
  parser:option("-w --loads", "Which loads."):convert(chosen(loads, "load"))
    :default(table.concat(names_of(loads.list), ","))
  parser:option("-a --against", "To which servers the ratios are."):convert(chosen(servers, "server"))
    :default "ceiling,nginx-lua"
  parser:option("-r --rounds", "How often."):convert(positive):default "3"
  parser:option("-s --seconds", "How long a load is measured."):convert(positive):default "2"
  parser:flag("--smoke", "Everything once and small, to see whether it works; the figures mean nothing.")
  return parser:parse(table.move(arg, 4, #arg, 1, {}))
end

-- ── measuring ───────────────────────────────────────────────────────────────

-- Those that are here; what the others need is said.
local function present(list, place)
  local found = {}
  for _, server in ipairs(list) do
    local missing = server.missing(place)
    if missing then
      say("%s is left out: it needs %s", server.name, missing)
    else
      found[#found + 1] = server
    end
  end
  return found
end

-- The names of those in `list` that are in `others` too.
local function both(list, others)
  local names = {}
  for _, entry in ipairs(list) do
    for _, other in ipairs(others) do
      if entry == other then names[#names + 1] = entry.name end
    end
  end
  return names
end

-- The servers that can take a load.
local function able(servers_asked, load)
  local list = {}
  for _, server in ipairs(servers_asked) do
    if not load.only or load.only[server.name] then list[#list + 1] = server end
  end
  return list
end

local function round(number, asked, place, results)
  local failures = 0
  for _, load in ipairs(asked.loads) do
    results[load.name] = results[load.name] or {}
    for _, server in ipairs(able(asked.servers, load)) do
      say("round %d: %s, %s", number, load.name, server.name)
      local samples = results[load.name][server.name] or {}
      results[load.name][server.name] = samples
      local done, sample = pcall(measure.measure, server, load, place, asked.seconds)
      samples[number] = done and sample or false
      if not done then
        failures = failures + 1
        say("  %s", sample)
      end
    end
  end
  return failures
end

local function smaller(asked)
  asked.rounds, asked.seconds = 1, 0.05
  for i, load in ipairs(asked.loads) do asked.loads[i] = loads.small(load) end
end

local function new_place()
  local scratch = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/sprylua-bench-XXXXXX"))
  return { root = root, build = build, program = program, scratch = scratch, app = scratch .. "/app", sections = 0 }
end

local function main()
  local asked = options()
  if asked.smoke then smaller(asked) end
  local place = new_place()
  process.guard(function() project.remove(place.scratch) end)
  project.make(place)
  asked.servers = present(asked.servers, place)
  local results, failures = {}, 0
  for number = 1, asked.rounds do failures = failures + round(number, asked, place, results) end
  print(report.tables(asked.loads, results, names_of(asked.servers), both(asked.against, asked.servers)))
  project.remove(place.scratch)
  return failures == 0 and 0 or 1
end

os.exit(main())
