-- `spry.shared` in Redis: a value is a hash of its type and its text, so that Redis counts whole numbers as such. Each
-- command is one script, which nothing comes between.

local backbone = require "sprylua.backbone"

local M = {}

-- KEYS[1] is the value's in each of these. What is returned is what sprylua.shared_commands has for the same command.
local HELPERS = [[
local function read()
  local value = redis.call("HMGET", KEYS[1], "type", "text")
  return value[1] and value[1] .. value[2] or ""
end
local function write(value, milliseconds)
  redis.call("DEL", KEYS[1])
  if value == "" then return end
  redis.call("HSET", KEYS[1], "type", value:sub(1, 1), "text", value:sub(2))
  if milliseconds ~= "" then redis.call("PEXPIRE", KEYS[1], milliseconds) end
end
]]

local GET = HELPERS .. "return read()"

local SET = HELPERS .. [[
write(ARGV[1], ARGV[2])
return "b1"
]]

-- Numbers of which one is a float are compared as such: Redis writes sums of floats in its own way.
local CAS = HELPERS .. [[
local value, expected = read(), ARGV[1]
local kinds = value:sub(1, 1) .. expected:sub(1, 1)
local floats = kinds == "ff" or kinds == "fi" or kinds == "if"
if value ~= expected and not (floats and tonumber(value:sub(2)) == tonumber(expected:sub(2))) then return "b0" end
write(ARGV[2], ARGV[3])
return "b1"
]]

local INCR = HELPERS .. [[
local by, kind = ARGV[1], redis.call("HGET", KEYS[1], "type")
if not kind then
  write(by, ARGV[2])
  return by
elseif kind ~= "i" and kind ~= "f" then
  return ""
elseif kind == "i" and by:sub(1, 1) == "i" then
  redis.call("HINCRBY", KEYS[1], "text", by:sub(2))
else
  redis.call("HINCRBYFLOAT", KEYS[1], "text", by:sub(2))
  redis.call("HSET", KEYS[1], "type", "f")
end
return read()
]]

local EXPIRE = [[
local there = redis.call("EXISTS", KEYS[1])
if there == 1 and ARGV[1] == "" then
  redis.call("PERSIST", KEYS[1])
elseif there == 1 then
  redis.call("PEXPIRE", KEYS[1], ARGV[1])
end
return "b" .. there
]]

local function milliseconds(lifetime)
  local seconds = tonumber(lifetime)
  return seconds and ("%.0f"):format(math.max(1, math.ceil(math.min(seconds, 1e12) * 1000))) or ""
end

-- What each command makes of its arguments, and the script that takes them.
local commands = {
  get = function() return GET end,
  set = function(value, lifetime) return SET, value, milliseconds(lifetime) end,
  cas = function(expected, value, lifetime) return CAS, expected, value, milliseconds(lifetime) end,
  incr = function(by, lifetime) return INCR, by, milliseconds(lifetime) end,
  expire = function(lifetime) return EXPIRE, milliseconds(lifetime) end,
}

-- "!" is the beginning of why there is no answer.
local function answer(token, text, message)
  backbone.heard("shared", token, text or "!" .. (message or "the connection to Redis was lost"))
end

local function run(hub, token, key, script, ...)
  return hub:run(function(text, message)
    answer(token, text, message)
  end, script, { key }, ...)
end

---@param hub sprylua.redis.Hub
function M.start(hub)
  backbone.carry("shared", function(token, command, name, key, ...)
    local full = ("%sshared:%d:%s:%s"):format(hub.prefix, #name, name, key)
    if not run(hub, token, full, commands[command](...)) then
      answer(token, "!Redis is not connected")
    end
  end)
end

return M
