-- What Redis does with histories, each in one step: a stream for each topic, and beside it the epoch and the offset of
-- the last message.

local M = {}

-- Finds the epoch. A Redis that has lost everything begins a new one. So does one that has lost the newest, for
-- what it numbers next would have the ids of those. KEYS: the topic's hash, its stream. ARGV: an epoch, should one be
-- needed; the epoch and the last offset that the caller knows.
local OPEN = [[
local epoch = redis.call("HGET", KEYS[1], "epoch")
local last = tonumber(redis.call("HGET", KEYS[1], "last") or 0)
if not epoch or epoch == ARGV[2] and last < tonumber(ARGV[3]) then
  epoch, last = ARGV[1], 0
  redis.call("DEL", KEYS[2])
end
redis.call("HSET", KEYS[1], "epoch", epoch, "last", last)
]]

---Reads what is behind an offset of an epoch, or everything of another one: a page of it, and "more" when there may be
---more. A page ends with the entry that brings it over 4 MiB, as sprylua.resp counts them; an entry that is too large
---for any answer is left out. Returns the epoch, the last offset, entries of the stream.
M.READ = OPEN .. [[
local at = epoch == ARGV[2] and tonumber(ARGV[3]) or 0
local entries, page = {}, 0
repeat
  local some = redis.call("XRANGE", KEYS[2], string.format("%.0f-0", at + 1), string.format("%.0f", last), "COUNT", 1)
  local entry = some[1]
  if entry then
    local size = 256
    for _, part in ipairs(entry[2]) do size = size + 64 + #part end
    if size <= 100000000 then
      entries[#entries + 1] = entry
      page = page + size
    end
    at = tonumber(string.match(entry[1], "^%d+"))
  end
until not entry or page > 4194304
return { epoch, last, entries, page > 4194304 and "more" or "" }
]]

---Numbers a message, keeps it and publishes it, unless that was done before. KEYS besides: the serial number of the
---last message of its sender. ARGV besides: how many to keep, and how many bytes of them; the channel; the serial
---number of the message, that of the one before it that must have been kept, or ""; the parts of the message: sender,
---topic, encoding, text, token. Each entry has as `behind` the bytes of all that were before it, so that what is kept
---can be measured without being read.
M.APPEND = [[
local most, most_bytes, channel = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local serial, previous = ARGV[7], ARGV[8]
local sender, topic, encoding, text, token = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local sent = tonumber(redis.call("GET", KEYS[3]) or -1)
if sent >= tonumber(serial) then return end
if previous ~= "" and sent < tonumber(previous) then
  return redis.error_reply("TRYAGAIN the message before it is missing")
end
redis.call("SET", KEYS[3], serial, "EX", 3600)
]] .. OPEN .. [[
local offset = string.format("%.0f", redis.call("HINCRBY", KEYS[1], "last", 1))
local bytes = redis.call("HINCRBY", KEYS[1], "bytes", #text)
redis.call("XADD", KEYS[2], "MAXLEN", most, offset .. "-0", "encoding", encoding, "text", text, "sender", sender,
  "token", token, "behind", string.format("%.0f", bytes - #text))
local function behind(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == "behind" then return tonumber(entry[2][i + 1]) end
  end
end
repeat
  local oldest = redis.call("XRANGE", KEYS[2], "-", "+", "COUNT", 1)[1]
  local too_large = oldest and bytes - (behind(oldest) or 0) > most_bytes
  if too_large then redis.call("XDEL", KEYS[2], oldest[1]) end
until not too_large
local parts = { sender, "appended", topic, epoch, offset, encoding, text, token }
for i, part in ipairs(parts) do parts[i] = struct.pack("<I4c0", #part, part) end
redis.call("PUBLISH", channel, table.concat(parts))
]]

return M
