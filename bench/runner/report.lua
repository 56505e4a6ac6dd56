-- The tables: markdown, medians of all rounds.

local M = {}

-- ── numbers ─────────────────────────────────────────────────────────────────

local function median(list)
  if #list == 0 then return nil end
  table.sort(list)
  local middle = #list // 2 + 1
  return #list % 2 == 1 and list[middle] or (list[middle - 1] + list[middle]) / 2
end

-- 1234567.8 → "1,234,568"
local function thousands(value)
  local text = ("%.0f"):format(value)
  local count
  repeat
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

local function percent(value) return ("%.0f %%"):format(value * 100) end

local function decimals(value) return ("%.1f"):format(value) end

local function cell(value, format)
  return value and format(value) or "–"
end

-- ── samples: results[load][server] is a list with one for each round, or false where something went wrong ──

local function median_of(samples, figure)
  local list = {}
  for _, sample in ipairs(samples or {}) do
    if sample then list[#list + 1] = sample[figure] end
  end
  return median(list)
end

local function least_of(samples, figure)
  local least
  for _, sample in ipairs(samples or {}) do
    if sample and (not least or sample[figure] < least) then least = sample[figure] end
  end
  return least
end

-- The median of the ratios within a round: what slows the machine down for a while slows both.
local function ratio(samples, base, figure)
  local list = {}
  for round, sample in ipairs(samples or {}) do
    local other = base and base[round]
    if sample and other then list[#list + 1] = sample[figure] / other[figure] end
  end
  return median(list)
end

local function two_decimals(value) return ("%.2f"):format(value) end

-- ── tables ──────────────────────────────────────────────────────────────────

local function row(cells)
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function header(names)
  return { row(names), "|---|" .. ("--:|"):rep(#names - 1) }
end

local COLUMNS = {
  { "a second", "per_second", thousands }, { "a CPU second", "per_cpu", thousands },
  { "busy", "busy", percent }, { "client", "client", percent },
  { "p50 µs", "p50", thousands }, { "p99 µs", "p99", thousands }, { "peak MiB", "peak", decimals },
}

local function traffic_table(load, results, servers, against)
  local names = { "server" }
  for _, column in ipairs(COLUMNS) do names[#names + 1] = column[1] end
  for _, other in ipairs(against) do names[#names + 1] = "cpu x " .. other end
  local base = load.base
  if base then names[#names + 1] = (base.figure == "p99" and "p99 x " or "cpu x ") .. base.load.name end
  local lines = header(names)
  for _, server in ipairs(servers) do
    local samples = results[load.name][server]
    local cells = { server }
    for _, column in ipairs(COLUMNS) do cells[#cells + 1] = cell(median_of(samples, column[2]), column[3]) end
    for _, other in ipairs(against) do
      cells[#cells + 1] = cell(ratio(samples, results[load.name][other], "per_cpu"), two_decimals)
    end
    if base then cells[#cells + 1] = cell(median_of(samples, "ratio"), two_decimals) end
    lines[#lines + 1] = row(cells)
  end
  return ("### %s: %s\n\n%s\n"):format(load.name, load.title, table.concat(lines, "\n"))
end

-- Start and idle connections are one table.
local function still_table(loads, results, servers)
  local names, figures = { "server" }, {}
  local function add(name, load, figure, format)
    names[#names + 1] = name
    figures[#figures + 1] = { load.name, figure, format }
  end
  for _, load in ipairs(loads) do
    if load.kind == "start" then
      add("first answer ms", load, "milliseconds", decimals)
      add("resident MiB", load, "resident", decimals)
    elseif load.kind == "idle" then
      add("bytes per " .. load.title, load, "bytes", thousands)
    end
  end
  if #figures == 0 then return nil end
  local lines = header(names)
  for _, server in ipairs(servers) do
    local cells = { server }
    for _, figure in ipairs(figures) do
      cells[#cells + 1] = cell(median_of(results[figure[1]][server], figure[2]), figure[3])
    end
    lines[#lines + 1] = row(cells)
  end
  return ("### start and memory\n\n%s\n"):format(table.concat(lines, "\n"))
end

-- The longest answers. Other work on the machine makes some of them long, so it is the shortest of all rounds that says
-- what the server itself needs.
local function pause_table(loads, results, servers)
  local names, measured = { "server" }, {}
  for _, load in ipairs(loads) do
    if load.kind == "pause" then
      names[#names + 1] = ("longest answer ms, %s"):format(load.title)
      measured[#measured + 1] = load.name
    end
  end
  if #measured == 0 then return nil end
  local lines = header(names)
  for _, server in ipairs(servers) do
    local cells, any = { server }, false
    for _, name in ipairs(measured) do
      any = any or results[name][server] ~= nil
      cells[#cells + 1] = cell(least_of(results[name][server], "longest"), decimals)
    end
    if any then lines[#lines + 1] = row(cells) end
  end
  return ("### pauses\n\n%s\n"):format(table.concat(lines, "\n"))
end

-- What two workers do of what one does.
local function workers_table(loads, results)
  local lines = header { "answers a second", "one worker", "two", "two x one" }
  local before = #lines
  for _, load in ipairs(loads) do
    local samples = load.kind == "workers" and results[load.name].sprylua
    if samples then
      lines[#lines + 1] = row {
        load.title, cell(median_of(samples, "one"), thousands), cell(median_of(samples, "two"), thousands),
        cell(median_of(samples, "ratio"), two_decimals),
      }
    end
  end
  return #lines > before and ("### workers\n\n%s\n"):format(table.concat(lines, "\n")) or nil
end

-- What each server did in a CPU second, measured by the first of `against`: one row a load.
local function summary(loads, results, servers, against)
  local base = against[1]
  if not base then return nil end
  local names, others = { "load" }, {}
  for _, server in ipairs(servers) do
    if server ~= base then
      names[#names + 1] = server
      others[#others + 1] = server
    end
  end
  local lines = header(names)
  for _, load in ipairs(loads) do
    if load.kind == "traffic" then
      local cells = { load.title }
      for _, server in ipairs(others) do
        local value = ratio(results[load.name][server], results[load.name][base], "per_cpu")
        cells[#cells + 1] = cell(value, two_decimals)
      end
      lines[#lines + 1] = row(cells)
    end
  end
  return ("### all loads: cpu x %s\n\n%s\n"):format(base, table.concat(lines, "\n"))
end

---@param loads bench.Load[]
---@param results table
---@param servers string[]
---@param against string[]
---@return string
function M.tables(loads, results, servers, against)
  local parts = {}
  for _, load in ipairs(loads) do
    if load.kind == "traffic" then parts[#parts + 1] = traffic_table(load, results, servers, against) end
  end
  parts[#parts + 1] = pause_table(loads, results, servers)
  parts[#parts + 1] = workers_table(loads, results)
  parts[#parts + 1] = still_table(loads, results, servers)
  parts[#parts + 1] = summary(loads, results, servers, against)
  return table.concat(parts, "\n")
end

return M
