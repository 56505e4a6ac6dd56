-- The settings of a server: the defaults, sprylua.config.lua over them, the environment over that, flags over all.
-- Everything is checked here, once, before anything starts; the rest of the code can rely on types and ranges.

local causes = require "sprylua.cause"
local message_compression = require "sprylua.message_compression"
local nearest = require "sprylua.nearest"
local options = require "sprylua.options"

local M = {}

local defaults = {
  host = "127.0.0.1", port = 4000, workers = 1,
  limits = {
    requestLine = 8192, headers = 16384, body = 1048576,
    headerTimeout = 10, bodyTimeout = 30, idleTimeout = 60,
    requestTimeout = 60,
    connections = 10000,
    cpuTime = 5, memory = nil,
  },
  ws = {
    origins = nil, maxMessage = 1048576, maxBuffered = 1048576, onSlow = "close", pingInterval = 25, deadAfter = 60,
    compress = false,
  },
  shutdownTimeout = 10,
  health = false,
  collector = nil,
  metrics = nil,
  secrets = nil,
  redis = nil,
}

-- ── what a value may be: each rule returns nil, or what the value should have been ──────────────────

local function integer(least, most, what, note)
  return function(value)
    if math.type(value) == "integer" and value >= least and value <= most then return nil end
    return ("%s from %d to %d%s"):format(what, least, most, note or "")
  end
end

local bytes = integer(1, options.MOST, "a whole number of bytes")

-- The parser's offsets into the head of a request are 32 bits wide.
local head_bytes = integer(1, 1 << 24, "a whole number of bytes")

local function seconds(least, what)
  return function(value)
    if type(value) == "number" and value >= least and value <= 1e9 then return nil end
    return what
  end
end

-- A millisecond is the finest that the loop's timers know.
local duration = seconds(0.001, "a number of seconds, more than 0")

local function cpu_time(value)
  if value ~= false and duration(value) then return "a number of seconds, more than 0, or false" end
end

local function either(a, b)
  return function(value)
    if value ~= a and value ~= b then return ("%q or %q"):format(a, b) end
  end
end

local function plain_path(value)
  if type(value) == "string" and (value .. "/"):find "^/[%w._~-]+/" and not value:find "//"
    and not value:find "[^%w._~/-]" and not (value .. "/"):find "/%.%.?/" and value:sub(-1) ~= "/" then return nil end
  return "a path such as \"/metrics\", of letters, digits and - . _ ~ between its slashes"
end

local function hostname(value)
  if type(value) == "string" and value ~= "" and not value:find "[%s%c/]" then return nil end
  return "an address or a host name such as \"127.0.0.1\""
end

local function origins(value)
  local what = "\"*\" or a list of origins such as { \"https://example.org\" }"
  if value == "*" then return nil end
  if type(value) ~= "table" then return what end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  for i = 1, count do
    if type(value[i]) ~= "string" or value[i] == "" then return what end
  end
end

-- Complains in a sentence of its own: what is wrong may be inside.
local function compress(value)
  local wanted = message_compression.wanted(value)
  return nil, wanted and "it must be " .. wanted
end

-- As many bytes as the signatures have: 44 characters of `openssl rand -base64 32` are more than enough.
local SECRET_BYTES = 32

-- Complains in sentences of its own, for the others show the value.
local function secrets(value)
  local how = "`openssl rand -base64 32` makes one"
  local what = ("must be a list of strings of %d bytes or more; %s"):format(SECRET_BYTES, how)
  if type(value) ~= "table" then return nil, what end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count == 0 then return nil, what end
  for i = 1, count do
    if type(value[i]) ~= "string" then return nil, what end
    if #value[i] < SECRET_BYTES then
      return nil, ("number %d has %d bytes, and the least is %d; %s"):format(i, #value[i], SECRET_BYTES, how)
    end
  end
end

-- Complains in a sentence of its own, for the value may have a password in it.
local function redis(value)
  local _, problem = require("sprylua.redis.url").parse(value)
  return nil, problem
end

local MOST_WORKERS = 256

local function workers(value)
  if value == "auto" then return nil end
  return integer(1, MOST_WORKERS, "a whole number", ", or \"auto\"")(value)
end

local schema = {
  host = hostname,
  port = integer(0, 65535, "a whole number", " (0: any free port)"),
  workers = workers,
  limits = {
    requestLine = head_bytes, headers = head_bytes, body = integer(0, options.MOST, "a whole number of bytes"),
    headerTimeout = duration, bodyTimeout = duration, idleTimeout = duration, requestTimeout = duration,
    connections = integer(1, 1 << 31, "a whole number"),
    cpuTime = cpu_time,
    memory = bytes,
  },
  ws = {
    origins = origins, maxMessage = bytes, maxBuffered = bytes, onSlow = either("close", "drop"),
    pingInterval = duration, deadAfter = duration,
    compress = compress,
  },
  shutdownTimeout = seconds(0, "a number of seconds, 0 or more"),
  health = either(true, false),
  collector = either("generational", "incremental"),
  metrics = plain_path,
  secrets = secrets,
  redis = redis,
}

-- ── checking and merging ────────────────────────────────────────────────────

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

-- Every name that can be set, with the group it is in: `body` on the top level should lead to `limits.body`.
local function known_names(group, prefix)
  local names = {}
  for name in pairs(group) do names[#names + 1] = prefix .. name end
  table.sort(names)
  return names
end

local function suggestion(name, group, prefix)
  local near = nearest.find(name, known_names(group, ""))
  if near then return (" (did you mean %s%s?)"):format(prefix, near) end
  for other, rules in pairs(schema) do
    if type(rules) == "table" and rules[name] then return (" (did you mean %s.%s?)"):format(other, name) end
  end
  if prefix ~= "" and schema[name] then return (" (did you mean %s, outside %s?)"):format(name, prefix:sub(1, -2)) end
  return ""
end

local function check_value(rule, value, label)
  local expected, sentence = rule(value)
  if sentence then return ("%s: %s"):format(label, sentence) end
  if expected then return ("%s must be %s, not %s"):format(label, expected, show(value)) end
end

local function merge(into, from, rules, prefix, problems)
  local names = {}
  for name in pairs(from) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do
    local value, rule = options.whole(from[name]), rules[name]
    local label = prefix .. tostring(name)
    if type(name) ~= "string" then
      problems[#problems + 1] = ("a value without a name: [%s] = %s"):format(tostring(name), show(value))
    elseif rule == nil then
      problems[#problems + 1] = ("unknown key %s%s"):format(label, suggestion(name, rules, prefix))
    elseif type(rule) == "table" then
      if type(value) == "table" then
        merge(into[name], value, rule, label .. ".", problems)
      else
        problems[#problems + 1] = ("%s must be a table, not %s"):format(label, show(value))
      end
    else
      problems[#problems + 1] = check_value(rule, value, label)
      into[name] = value
    end
  end
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local t = {}
  for k, v in pairs(value) do t[k] = copy(v) end
  return t
end

---A table of settings over the defaults.
---@param settings table? what a config file returned
---@return table? config
---@return string[]? problems
function M.complete(settings)
  local complete, problems = copy(defaults), {}
  if settings ~= nil and type(settings) ~= "table" then
    return nil, { "must return a table, not " .. show(settings) }
  end
  merge(complete, settings or {}, schema, "", problems)
  if #problems > 0 then return nil, problems end
  return complete
end

-- ── the file, the environment, the flags ────────────────────────────────────

local function run_file(path)
  local chunk, message = loadfile(path, "t")
  if not chunk then return nil, message end
  local ok, result = pcall(chunk)
  if not ok then return nil, ("%s: %s"):format(path, causes.describe(result)) end
  if type(result) ~= "table" then
    return nil, ("%s: must return a table (forgot return?), not %s"):format(path, show(result))
  end
  return result
end

local function with_file_name(path, problems)
  for i, problem in ipairs(problems) do problems[i] = ("%s: %s"):format(path, problem) end
  return table.concat(problems, "\n")
end

-- How the text of a flag or a variable becomes the setting's value.

-- A host may look like a number ("0").
local function as_it_is(text) return text end

-- Numbers are written in decimal digits and nothing else.
local function as_number(text)
  if type(text) == "string" and text:find "^%d+$" and #text < 16 then return math.tointeger(tonumber(text)) end
  return text
end

local function as_list(text)
  local list = {}
  for item in (text .. ","):gmatch "%s*([^,]*)," do list[#list + 1] = item:match "^(.*%S)" or "" end
  return list
end

-- Where a setting can come from besides the file: first the flag, then the variables in this order.
local overrides = {
  { key = "host", read = as_it_is, flag = "--host", "SPRYLUA_HOST", "HOST" },
  { key = "port", read = as_number, flag = "--port", "SPRYLUA_PORT", "PORT" },
  { key = "workers", read = as_number, flag = "--workers", "SPRYLUA_WORKERS" },
  { key = "secrets", read = as_list, "SPRYLUA_SECRETS" },
}

local function override(settings, source, flags, env)
  local text, label = source.flag and flags[source.key], source.flag
  for _, name in ipairs(source) do
    if text ~= nil then break end
    if env[name] ~= nil and env[name] ~= "" then text, label = env[name], name end
  end
  if text == nil then return nil end
  local value = source.read(text)
  settings[source.key] = value
  return check_value(schema[source.key], value, label)
end

---The settings from all four places.
---@param path string? the config file; nil: none
---@param flags table? by key of the settings (`host`, `port`, `workers`), as text or as value
---@param env table? environment variables by name
---@return table? config
---@return string? message what is wrong, a line each
---@return "config"|"usage"? whose fault: the file's, or the flags' and the environment's
function M.load(path, flags, env)
  local settings = {}
  if path then
    local message
    settings, message = run_file(path)
    if not settings then return nil, message, "config" end
  end
  local config, problems = M.complete(settings)
  if not config then return nil, with_file_name(path, problems), "config" end
  local wrong = {}
  for _, source in ipairs(overrides) do
    wrong[#wrong + 1] = override(config, source, flags or {}, env or {})
  end
  if #wrong > 0 then return nil, table.concat(wrong, "\n"), "usage" end
  return config
end

return M
