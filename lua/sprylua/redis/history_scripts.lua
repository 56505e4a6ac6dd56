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

---Reads what is behind an offset of an epoch, or everything of another one; some megabytes of it, and "more" when there
---are more. Returns the epoch, the last offset, entries of the stream.
M.READ = OPEN .. [[
local at = epoch == ARGV[2] and tonumber(ARGV[3]) or 0
local entries, size, some = {}, 0, nil
repeat
  some = redis.call("XRANGE", KEYS[2], string.format("%.0f-0", at + 1), "+", "COUNT", 50)
  for _, entry in ipairs(some) do
    entries[#entries + 1] = entry
    for _, part in ipairs(entry[2]) do size = size + #part end
    at = tonumber(string.match(entry[1], "^%d+"))
  end
until #some < 50 or size > 8388608
return { epoch, last, entries, #some == 50 and "more" or "" }
]]

---Numbers a message, keeps it and publishes it, unless that was done before. KEYS besides: the serial number of the
---last message of its sender. ARGV besides: how many to keep, the channel, the serial number of the message, that of
---the one before it that must have been kept, or ""; the parts of the message: sender, topic, encoding, text, token.
M.APPEND = [[
local sent = tonumber(redis.call("GET", KEYS[3]) or -1)
if sent >= tonumber(ARGV[6]) then return end
if ARGV[7] ~= "" and sent < tonumber(ARGV[7]) then
  return redis.error_reply("TRYAGAIN the message before it is missing")
end
redis.call("SET", KEYS[3], ARGV[6], "EX", 3600)
]] .. OPEN .. [[
local offset = string.format("%.0f", redis.call("HINCRBY", KEYS[1], "last", 1))
redis.call("XADD", KEYS[2], "MAXLEN", ARGV[4], offset .. "-0", "encoding", ARGV[10], "text", ARGV[11],
  "sender", ARGV[8], "token", ARGV[12])
local parts = { ARGV[8], "appended", ARGV[9], epoch, offset, ARGV[10], ARGV[11], ARGV[12] }
for i, part in ipairs(parts) do parts[i] = struct.pack("<I4c0", #part, part) end
redis.call("PUBLISH", ARGV[5], table.concat(parts))
]]

return M
