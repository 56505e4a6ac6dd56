-- `spry.redis`: commands to the Redis server of the setting `redis`, from a coroutine that waits for the answer.
-- All of a process share a connection: what several coroutines ask at once goes out together.

local signal = require "sprylua.signal"

local M = {}

---The one connection for commands; nil when no server is configured.
---@type sprylua.redis.Connection?
local connection

---@param opened sprylua.redis.Connection
function M.use(opened)
  connection = opened
end

local HOW = 'spry.redis has no server: set redis = "redis://127.0.0.1:6379/0" in sprylua.config.lua'

-- What would disturb others on the same connection, and what there is instead. Some of it is two words.
local OWN_CONNECTION = "it needs a connection of its own, and this one is everybody's"
local NO_COMMAND = "Redis takes it for an attack by HTTP, and ends the connection"
local REFUSED = {
  SUBSCRIBE = "use ws:subscribe and spry.publish", PSUBSCRIBE = "use ws:subscribe and spry.publish",
  SSUBSCRIBE = "use ws:subscribe and spry.publish", MULTI = "use EVAL, which runs as a whole",
  EXEC = "use EVAL, which runs as a whole", WATCH = "use EVAL, which runs as a whole",
  DISCARD = "use EVAL, which runs as a whole", MONITOR = OWN_CONNECTION, CLIENT = OWN_CONNECTION,
  HELLO = OWN_CONNECTION, RESET = OWN_CONNECTION, QUIT = OWN_CONNECTION, SYNC = OWN_CONNECTION, PSYNC = OWN_CONNECTION,
  BLPOP = OWN_CONNECTION, BRPOP = OWN_CONNECTION, BLMOVE = OWN_CONNECTION, BRPOPLPUSH = OWN_CONNECTION,
  BLMPOP = OWN_CONNECTION, BZPOPMIN = OWN_CONNECTION, BZPOPMAX = OWN_CONNECTION, BZMPOP = OWN_CONNECTION,
  REPLCONF = OWN_CONNECTION, WAIT = OWN_CONNECTION, WAITAOF = OWN_CONNECTION,
  UNSUBSCRIBE = OWN_CONNECTION, PUNSUBSCRIBE = OWN_CONNECTION, SUNSUBSCRIBE = OWN_CONNECTION,
  ASKING = OWN_CONNECTION, READONLY = OWN_CONNECTION, READWRITE = OWN_CONNECTION,
  ["SCRIPT DEBUG"] = OWN_CONNECTION, DEBUG = "it stops the server, or ends it, for everybody",
  POST = NO_COMMAND, ["HOST:"] = NO_COMMAND,
  SELECT = "the database belongs to the setting redis", AUTH = "the password belongs to the setting redis",
}

-- An argument as Redis gets it; nil for what it can't have.
local function written(value)
  if type(value) == "string" then
    return value
  elseif math.type(value) == "integer" then
    return tostring(value)
  elseif type(value) == "number" then
    local short = ("%.15g"):format(value)
    return tonumber(short) == value and short or ("%.17g"):format(value)
  end
end

local function arguments_of(name, level, ...)
  local list = table.pack(...)
  for i = 1, list.n do
    list[i] = written(list[i]) or error(("spry.redis: argument %d of %s is a string or a number, not %s"):format(
      i, name, list[i] == nil and "nil" or "a " .. type(list[i])), level + 1)
  end
  return list
end

-- How many words each option of XREAD and XREADGROUP has, before the names of the streams.
local READS_STREAM = { XREAD = true, XREADGROUP = true }
local OPTIONS = { GROUP = 3, COUNT = 2 }

local function blocks(name, arguments)
  local i = READS_STREAM[name:upper()] and 1 or math.huge
  while i <= arguments.n do
    local word = arguments[i]:upper()
    if word == "BLOCK" or word == "STREAMS" then
      return word == "BLOCK"
    end
    i = i + (OPTIONS[word] or 1)
  end
  return false
end

local function check_words(words, level)
  local refused = REFUSED[words:upper()]
  if refused then
    error(("spry.redis does not take %s: %s"):format(words:upper(), refused), level + 1)
  end
end

local function check(name, level)
  if type(name) ~= "string" or name == "" then
    error("spry.redis:command takes the name of a command, a string", level + 1)
  elseif not connection then
    error(HOW, level + 1)
  end
  check_words(name, level + 1)
  if not coroutine.isyieldable() then
    error("spry.redis waits, which takes a coroutine: spry.spawn(function() … end)", level + 1)
  end
end

local function ask(level, name, ...)
  check(name, level + 1)
  local arguments = arguments_of(name, level + 1, ...)
  check_words(("%s %s"):format(name, arguments[1]), level + 1)
  if blocks(name, arguments) then
    error(("spry.redis does not take %s with BLOCK: %s"):format(name:upper(), OWN_CONNECTION), level + 1)
  end
  local arrived, kind, value = signal.new(), nil, nil
  local sent, problem = connection:command(function(...)
    kind, value = ...
    arrived:wake()
  end, name, table.unpack(arguments, 1, arguments.n))
  if not sent then
    return nil, problem or "Redis is not connected"
  end
  arrived:wait(function()
    return kind ~= nil
  end)
  if kind == "error" or kind == "lost" then
    return nil, value
  end
  return value
end

---@class sprylua.Redis any command is a method: `spry.redis:get "key"`
---@field command fun(self: sprylua.Redis, name: string, ...: string|number): any, string?
local redis = {}

local methods = {}

---Gives a command and waits for its answer: a string, an integer, a list (with false for nothing in it), nil for
---nothing; nil and a message when Redis refuses it or is not connected.
---@param name string
---@param ... string|number
---@return any value
---@return string? message
function methods:command(name, ...)
  if self ~= redis then
    error("call spry.redis:command(…) with a colon", 2)
  end
  local value, message = ask(2, name, ...)
  return value, message
end

local function method_of(name)
  return function(self, ...)
    if self ~= redis then
      error(("call spry.redis:%s(…) with a colon"):format(tostring(name)), 2)
    end
    local value, message = ask(2, name, ...)
    return value, message
  end
end

setmetatable(redis, {
  __index = function(_, name)
    methods[name] = methods[name] or method_of(name)
    return methods[name]
  end,
  __newindex = function()
    error('spry.redis has only commands, and none can be replaced: spry.redis:set("key", "value") sets a key', 2)
  end,
})

M.redis = redis

return M
