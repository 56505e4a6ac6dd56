-- Presence over Redis: each process keeps who is present in it in a hash, with a version that counts the changes, and
-- renews its expiry; the hash of one that has died goes by itself. The others hear of each change. Who has missed some,
-- which the versions tell, reads the hash again.

local backbone = require "sprylua.backbone"
local clock = require "sprylua.clock"

local M = {}

local BEAT = 2 -- seconds between renewals
local EXPIRY = "6000" -- milliseconds
local PATIENCE = 12 -- seconds that others have to come back when Redis was away: more than any of them waits

-- KEYS: the hash, the set of processes. ARGV: this process, the expiry, the prefix of hashes. Returns the version of
-- our own hash, the time, and each process with its version.
local RENEW = [[
redis.call("PEXPIRE", KEYS[1], ARGV[2])
redis.call("SADD", KEYS[2], ARGV[1])
local time, alive = redis.call("TIME"), {}
for _, id in ipairs(redis.call("SMEMBERS", KEYS[2])) do
  local version = redis.call("HGET", ARGV[3] .. id, "version")
  if version then
    alive[#alive + 1] = id
    alive[#alive + 1] = version
  elseif id ~= ARGV[1] then
    redis.call("SREM", KEYS[2], id)
  end
end
return { redis.call("HGET", KEYS[1], "version"), time[1] .. "." .. string.format("%06d", time[2]), alive }
]]

-- ARGV: the version, the expiry, and all fields with their values.
local REWRITE = [[
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "version", ARGV[1])
for i = 3, #ARGV, 2 do redis.call("HSET", KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call("PEXPIRE", KEYS[1], ARGV[2])
]]

-- One change. ARGV: the version, the expiry, a field, and its value, "" for none.
local CHANGE = [[
if ARGV[4] == "" then redis.call("HDEL", KEYS[1], ARGV[3]) else redis.call("HSET", KEYS[1], ARGV[3], ARGV[4]) end
redis.call("HSET", KEYS[1], "version", ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
]]

---@class sprylua.redis.Peer another process
---@field version integer
---@field members table<string, string> by what names a member: what is known of it

---@type table<string, sprylua.redis.Peer>
local peers = {}

local own = {} -- of this process, as in a peer's `members`
local version = 0

local renewed = false -- once at least
local reading = 0 -- hashes that were asked for
local patient_until = 0 -- before that nobody is taken for dead

-- What is added to this process's clock so that it is everybody's: Redis' time. Nil before it is known.
local offset

-- ── names and values ────────────────────────────────────────────────────────

local function pack(...)
  return string.pack("<s4s4", ...)
end

local function unpack(text)
  local ok, first, second = pcall(string.unpack, "<s4s4", text)
  if ok then
    return first, second
  end
end

local function key_of(hub, id)
  return hub.prefix .. "present:" .. id
end

local function to_common(order)
  return ("%.17g"):format(tonumber(order) + (offset or clock.time_of_day() - clock.now()))
end

local function to_own(order)
  return ("%.17g"):format((tonumber(order) or 0) - (offset or clock.time_of_day() - clock.now()))
end

-- ── the others ──────────────────────────────────────────────────────────────

local function tell_join(member, value)
  local name, key = unpack(member)
  local meta, order = unpack(value)
  if name and meta then
    backbone.heard("join", name, key, meta, to_own(order))
  end
end

local function tell_leave(member)
  local name, key = unpack(member)
  if name then
    backbone.heard("leave", name, key)
  end
end

local function forget(id)
  local peer = peers[id]
  peers[id] = nil
  for member in pairs(peer and peer.members or {}) do
    tell_leave(member)
  end
end

-- A list of names and values as a table.
local function fields_of(list)
  local fields = {}
  for i = 1, #list, 2 do
    fields[list[i]] = list[i + 1]
  end
  return fields
end

local function absorb(id, fields)
  local read = math.tointeger(tonumber(fields.version))
  local peer = peers[id] or { version = -1, members = {} }
  if not read or read <= peer.version then
    return
  end
  fields.version, peers[id] = nil, peer
  local before = peer.members
  peer.version, peer.members = read, fields
  for member in pairs(before) do
    if not fields[member] then
      tell_leave(member)
    end
  end
  for member, value in pairs(fields) do
    if before[member] ~= value then
      tell_join(member, value)
    end
  end
end

local function read(hub, id)
  local sent = hub:ask(function(list)
    reading = reading - 1
    if list then
      absorb(id, fields_of(list))
    end
    hub.arrived:notify()
  end, "HGETALL", key_of(hub, id))
  reading = reading + (sent and 1 or 0)
end

-- One change of another process; `value` is "" for a leave.
local function changed(hub, id, number, member, value)
  local peer = peers[id]
  number = math.tointeger(tonumber(number))
  if not number or not value then
    return
  elseif not peer or number > peer.version + 1 then
    read(hub, id)
  elseif number == peer.version + 1 then
    peer.version, peer.members[member] = number, value ~= "" and value or nil
    if value == "" then
      tell_leave(member)
    else
      tell_join(member, value)
    end
  end
end

-- ── this process ────────────────────────────────────────────────────────────

local function rewrite(hub)
  local arguments = {}
  for member, value in pairs(own) do
    arguments[#arguments + 1] = member
    arguments[#arguments + 1] = value
  end
  hub:run(function() end, REWRITE, { key_of(hub, hub.id) }, tostring(version), EXPIRY, table.unpack(arguments))
end

-- One that does not reach Redis is found at the next renewal, by the version.
local function change(hub, member, value)
  own[member], version = value, version + 1
  hub:run(function() end, CHANGE, { key_of(hub, hub.id) }, tostring(version), EXPIRY, member, value or "")
  hub:tell("present", tostring(version), member, value or "")
end

local function meet(hub, alive)
  for id, number in pairs(alive) do
    local peer = peers[id]
    if id ~= hub.id and not (peer and peer.version >= math.tointeger(tonumber(number))) then
      read(hub, id)
    end
  end
  for id in pairs(peers) do
    if not alive[id] and clock.now() > patient_until then
      forget(id)
    end
  end
end

local function renew(hub)
  local expected = tostring(version)
  hub:run(function(reply)
    if reply then
      if reply[1] ~= expected then
        rewrite(hub)
      end
      offset = offset or tonumber(reply[2]) - clock.now()
      meet(hub, fields_of(reply[3]))
      renewed = true
      hub.arrived:notify()
    end
  end, RENEW, { key_of(hub, hub.id), hub.prefix .. "processes" }, hub.id, EXPIRY, hub.prefix .. "present:")
end

local function renew_again_and_again(hub)
  clock.after(BEAT, function()
    renew_again_and_again(hub)
    if hub:connected() then
      renew(hub)
    end
  end)
end

-- A process that has ended: this one, or another worker of this server, which the one above has seen die. The others
-- need not wait until its hash expires.
local function bury(hub, id)
  hub:ask(function() end, "DEL", key_of(hub, id))
  hub:tell("gone", id)
end

-- ── for the carrier ─────────────────────────────────────────────────────────

---@param hub sprylua.redis.Hub
---@return fun(sender: string, ...: string) changed called with each change of another process
---@return fun(sender: string, id: string) gone called when another process has ended
function M.start(hub)
  backbone.carry("join", function(name, key, meta, order)
    change(hub, pack(name, key), pack(meta, to_common(order)))
  end)
  backbone.carry("leave", function(name, key)
    change(hub, pack(name, key))
  end)
  backbone.tell("identify", hub.id)
  backbone.on("died", function(id)
    forget(id)
    bury(hub, id)
  end)
  renew_again_and_again(hub)
  return function(...)
    changed(hub, ...)
  end, function(_, id)
    forget(id)
  end
end

---Makes ours known, and looks who else is there. Others that have lost their connection too get time to come back.
---@param hub sprylua.redis.Hub
function M.synchronize(hub)
  patient_until = renewed and clock.now() + PATIENCE or 0
  rewrite(hub)
  renew(hub)
end

---Whether all others are known.
---@return boolean
function M.complete()
  return renewed and reading == 0
end

---This process ends.
---@param hub sprylua.redis.Hub
function M.leave(hub)
  bury(hub, hub.id)
end

return M
