-- The other side of permessage-deflate (RFC 7692 section 7.2): messages to payloads and back, with zlib.

local folder = os.getenv "SPRYLUA_BUILD" or "build"
local zlib = assert(package.loadlib(folder .. "/spec/deflate.so", "luaopen_deflate"))()

local M = {}

local TAIL = "\0\0\xff\xff"

---@class spec.Deflater
---@field stream table
local Deflater = {}
Deflater.__index = Deflater

---@param bits integer? of the window
---@return spec.Deflater
function M.deflater(bits)
  return setmetatable({ stream = zlib.deflater(bits) }, Deflater)
end

---The payload of a compressed message. It may refer to those before it, unless the stream is reset.
---@param message string
---@return string
function Deflater:payload(message)
  local bytes = self.stream:run(message, "sync")
  if bytes == "" then bytes = "\0" .. TAIL end -- zlib does not flush twice: an empty message (section 7.2.3.6)
  assert(bytes:sub(-4) == TAIL)
  return bytes:sub(1, -5)
end

---The same with a final block (section 7.2.3.4).
---@param message string
---@return string
function Deflater:final(message)
  local bytes = self.stream:run(message, "finish") .. "\0"
  self:reset()
  return bytes
end

function Deflater:reset() self.stream:reset() end

---@class spec.Inflater
---@field stream table
local Inflater = {}
Inflater.__index = Inflater

---@param bits integer?
---@return spec.Inflater
function M.inflater(bits)
  return setmetatable({ stream = zlib.inflater(bits) }, Inflater)
end

---The message of a payload; raises when it can't be inflated.
---@param payload string
---@return string
function Inflater:message(payload)
  return self.stream:run(payload .. TAIL, "sync")
end

function Inflater:reset() self.stream:reset() end

---A message's payload by itself, without a context.
---@param message string
---@param bits integer?
---@return string
function M.payload(message, bits)
  return M.deflater(bits):payload(message)
end

---Bytes that can't be compressed, the same in every run.
---@param n integer
---@param seed integer?
---@return string
function M.noise(n, seed)
  local state, list = seed or 1, {}
  for i = 1, n do
    state = (state * 1103515245 + 12345) & 0x7fffffff
    list[i] = string.char(state >> 16 & 0xff)
  end
  return table.concat(list)
end

return M
