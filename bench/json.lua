-- How fast sprylua.json encodes and decodes, beside lua-cjson: LUA_CPATH="build/?.so;;" lua5.4 bench/json.lua
--
--   bench/json.lua [ROUNDS [SECONDS]]     rounds (9), and processor time for each measurement (0.2)
--
-- The two take turns on one document of about 10 KiB. The table shows medians; a ratio is the median of those within
-- one round, so that what slows the machine down for a while slows both.

local rounds = math.tointeger(tonumber(arg[1] or 9))
local seconds = tonumber(arg[2] or 0.2)
if not rounds or rounds < 1 or not seconds or seconds <= 0 then
  io.stderr:write "usage: lua5.4 bench/json.lua [ROUNDS [SECONDS]]\n"
  os.exit(64)
end

local found, json = pcall(require, "sprylua.json")
if not found then
  io.stderr:write "sprylua.json is not found: build it, then set LUA_CPATH=\"build/?.so;;\"\n"
  os.exit(69)
end
local has_cjson, cjson = pcall(require, "cjson")

-- ── the document ────────────────────────────────────────────────────────────

local function record(i)
  return {
    id = 1000 + i,
    name = "Zoë Müller-" .. i,
    email = ("user%d@example.org"):format(i),
    active = i % 3 ~= 0,
    manager = i % 4 == 0 and json.null or 1000 + i // 4,
    balance = i * 137 / 100,
    load = i / 7,
    position = { latitude = 48.137154 + i / 1000, longitude = -11.576124 - i / 1000 },
    tags = { "alpha", "beta-" .. i, "line\nbreak", 'a "quoted" word' },
    history = { 3, 14, 159, 2653 * i, 58979323 * i },
    note = "The quick brown fox jumps over the lazy dog, and then goes home by way of the river.",
  }
end

local value = {}
for i = 1, 26 do
  value[i] = record(i)
end
local text = json.encode(value)

-- ── measuring ───────────────────────────────────────────────────────────────

-- Documents a second of processor time.
local function rate(fn, argument)
  collectgarbage()
  local count, started = 0, os.clock()
  repeat
    for _ = 1, 10 do
      fn(argument)
    end
    count = count + 10
  until os.clock() - started >= seconds
  return count / (os.clock() - started)
end

local function median(list)
  table.sort(list)
  local middle = #list // 2 + 1
  return #list % 2 == 1 and list[middle] or (list[middle - 1] + list[middle]) / 2
end

-- What both do with the same argument.
local function measure(ours, theirs, argument)
  local own, other, ratios = {}, {}, {}
  for i = 1, rounds do
    own[i] = rate(ours, argument)
    if theirs then
      other[i] = rate(theirs, argument)
      ratios[i] = own[i] / other[i]
    end
  end
  return median(own), theirs and median(other), theirs and median(ratios)
end

-- ── the table ───────────────────────────────────────────────────────────────

local function show(name, own, other, ratio)
  local megabytes = #text / 1e6
  local line = ("%-8s %10.1f"):format(name, own * megabytes)
  print(other and ("%s %10.1f %7.2f"):format(line, other * megabytes, ratio) or line)
end

local theirs = has_cjson and { encode = cjson.encode, decode = cjson.decode } or {}
if has_cjson then
  -- The same null for both; sprylua.json takes the NULL pointer as well.
  for _, item in ipairs(value) do
    item.manager = item.manager == json.null and cjson.null or item.manager
  end
end

print(("%d rounds, a document of %d bytes, MB/s"):format(rounds, #text))
print(("%-8s %10s"):format("", "sprylua") .. (has_cjson and ("%11s %7s"):format("cjson", "ratio") or ""))
show("encode", measure(json.encode, theirs.encode, value))
show("decode", measure(json.decode, theirs.decode, text))
if not has_cjson then
  print "to compare with cjson, install the package lua-cjson"
end
