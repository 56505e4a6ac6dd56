-- `spry.shared(name)`: a table of values that all workers of a server share. With several of them it is kept in the
-- process above: one command at a time, so each sees all that went before. It lives as long as the server.

local backbone = require "sprylua.backbone"
local commands = require "sprylua.shared_commands"
local options = require "sprylua.options"
local signal = require "sprylua.signal"
local store = require "sprylua.shared_store"

local M = {}

---@class sprylua.Shared
---@field name string
local Shared = { __name = "sprylua.Shared" }
Shared.__index = Shared

-- ── asking ──────────────────────────────────────────────────────────────────

local here = store.new() -- of a process that is alone

---@type table<string, { answer: string?, arrived: sprylua.Signal }>
local questions = {}
local last = 0

backbone.on("shared", function(token, answer)
  local question = questions[token]
  if question then
    question.answer = answer
    question.arrived:notify()
  end
end)

local function ask_above(...)
  last = last + 1
  local token, question = tostring(last), { arrived = signal.new() }
  questions[token] = question
  backbone.tell("shared", token, ...)
  local _ <close> = setmetatable({}, { __close = function() questions[token] = nil end })
  question.arrived:wait(function()
    return question.answer ~= nil
  end)
  return question.answer
end

local function ask(method, ...)
  local connected = backbone.connected()
  if connected and not coroutine.isyieldable() then
    error(("shared:%s waits, which takes a coroutine: spry.spawn(function() … end)"):format(method), 3)
  end
  local answer = connected and ask_above(...) or commands.run(here, ...)
  if answer:sub(1, 1) == "!" then -- there is none, and why
    error(("shared:%s: %s"):format(method, answer:sub(2)), 3)
  end
  return commands.read(answer)
end

-- ── checking ────────────────────────────────────────────────────────────────

local OPTIONS = { ttl = options.seconds() }

local function check_key(self, method, key)
  if getmetatable(self) ~= Shared then
    error(("call shared:%s(…) with a colon, on what spry.shared returned"):format(method), 3)
  elseif type(key) ~= "string" then
    error(("shared:%s takes a key, a string, not a %s"):format(method, type(key)), 3)
  end
end

local function written(method, value)
  if type(value) == "number" and value - value ~= 0 then
    error(("shared:%s takes a finite number, not %s"):format(method, value), 3)
  end
  return commands.write(value) or error(("shared:%s takes a string, a number or a boolean, not a %s; "
    .. "spry.json.encode makes a string of a table"):format(method, type(value)), 3)
end

local function lifetime(method, opts)
  local ttl = options.read("shared:" .. method, opts, OPTIONS, 4).ttl
  return ttl and ("%.17g"):format(ttl) or ""
end

-- ── for everybody ───────────────────────────────────────────────────────────

---The value of a key; nil when it is not there.
---@param key string
---@return string|number|boolean|nil
function Shared:get(key)
  check_key(self, "get", key)
  return ask("get", "get", self.name, key)
end

---@param key string
---@param value string|number|boolean|nil nil: removes it
---@param opts { ttl: number? }? seconds that it lives
function Shared:set(key, value, opts)
  check_key(self, "set", key)
  ask("set", "set", self.name, key, written("set", value), lifetime("set", opts))
end

---Adds to a number; one that is not there is 0.
---@param key string
---@param by number? (1)
---@param opts { ttl: number? }? seconds that a new one lives
---@return number value
function Shared:incr(key, by, opts)
  check_key(self, "incr", key)
  by = by == nil and 1 or by
  if type(by) ~= "number" then
    error(("shared:incr adds a number, not a %s"):format(type(by)), 2)
  end
  local value = ask("incr", "incr", self.name, key, written("incr", by), lifetime("incr", opts))
  return value or error(("the value of %s is no number"):format(key), 2)
end

---Sets a key if it has the value that is expected, and says whether it had.
---@param key string
---@param expected string|number|boolean|nil nil: it is not there
---@param value string|number|boolean|nil nil: removes it
---@param opts { ttl: number? }?
---@return boolean
function Shared:cas(key, expected, value, opts)
  check_key(self, "cas", key)
  local had = ask("cas", "cas", self.name, key, written("cas", expected), written("cas", value), lifetime("cas", opts))
  return had --[[@as boolean]]
end

---How long a key lives from now on, in seconds; nil: for ever. Says whether it is there.
---@param key string
---@param seconds number?
---@return boolean
function Shared:expire(key, seconds)
  check_key(self, "expire", key)
  local there = ask("expire", "expire", self.name, key, lifetime("expire", { ttl = seconds }))
  return there --[[@as boolean]]
end

---@type table<string, sprylua.Shared>
local tables = {}

---@param name string
---@return sprylua.Shared
function M.shared(name)
  if type(name) ~= "string" or name == "" then
    error("spry.shared takes a name, a string", 2)
  end
  tables[name] = tables[name] or setmetatable({ name = name }, Shared)
  return tables[name]
end

return M
