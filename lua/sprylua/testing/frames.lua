-- RFC 6455 frames in plain Lua, written apart from the server's own codec so that one can check the other.
-- The client's side by default: what it encodes is masked, as a client must (section 5.3).

local M = {}

M.opcodes = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }
M.names = { [0] = "continuation", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong" }

-- Section 1.3's example key, and what a server must answer to it: sending always this one makes the answer checkable
-- without SHA-1.
M.key = "dGhlIHNhbXBsZSBub25jZQ=="
M.accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

local DEFAULT_MASK = "\x37\xfa\x21\x3d"

---XORs `payload` with the four bytes of `mask` (section 5.3); its own inverse.
---@param payload string
---@param mask string
---@return string
function M.mask(payload, mask)
  local key = { mask:byte(1, 4) }
  local parts, n = {}, #payload
  -- In blocks: string.byte and string.char take as many values as the stack allows.
  for from = 1, n, 4096 do
    local bytes = { payload:byte(from, math.min(from + 4095, n)) }
    for i = 1, #bytes do bytes[i] = bytes[i] ~ key[(i - 1) % 4 + 1] end -- 4096 is a multiple of 4: the phase holds
    parts[#parts + 1] = string.char(table.unpack(bytes))
  end
  return table.concat(parts)
end

local function opcodeOf(opcode, level)
  local number = M.opcodes[opcode] or opcode
  if math.type(number) ~= "integer" or number < 0 or number > 15 then
    error(("a frame's opcode is a name (text, binary, continuation, close, ping, pong) or 0 to 15, not %s"):format(
      tostring(opcode)), level + 1)
  end
  return number
end

---@class sprylua.testing.FrameOptions
---@field opcode string|integer
---@field payload string?
---@field fin boolean? true unless false
---@field rsv integer? 0 to 7
---@field mask string|false? four bytes; false: unmasked
---@field length integer? what the header claims, when that is not the payload's length
---@field wide 16|64|nil a length field longer than needed

---The bytes of one frame. Every field can be set wrongly on purpose: a spec must be able to send nonsense.
---@param frame sprylua.testing.FrameOptions
---@return string bytes
function M.encode(frame)
  local opcode = opcodeOf(frame.opcode, 2)
  local payload = frame.payload or ""
  local length = frame.length or #payload
  local mask = frame.mask == nil and DEFAULT_MASK or frame.mask
  local first = (frame.fin == false and 0 or 0x80) | ((frame.rsv or 0) << 4) | opcode
  local maskBit = mask and 0x80 or 0
  local head
  if frame.wide == 64 or length > 0xffff or length < 0 then
    head = string.pack(">BBi8", first, maskBit | 127, length)
  elseif frame.wide == 16 or length > 125 then
    head = string.pack(">BBI2", first, maskBit | 126, length)
  else
    head = string.pack(">BB", first, maskBit | length)
  end
  if not mask then return head .. payload end
  return head .. mask .. M.mask(payload, mask)
end

---@class sprylua.testing.Frame
---@field opcode integer
---@field name string
---@field fin boolean
---@field rsv integer
---@field masked boolean
---@field payload string unmasked
---@field minimal boolean the length field was no longer than needed

---One frame from `bytes` at `from`: a frame and the position after it; nil when it is not complete yet.
---@param bytes string
---@param from integer?
---@return sprylua.testing.Frame? frame
---@return integer? next
function M.decode(bytes, from)
  from = from or 1
  if #bytes - from + 1 < 2 then return nil end
  local first, second = bytes:byte(from, from + 1)
  local length, at, minimal = second & 0x7f, from + 2, true
  if length == 126 then
    if #bytes < at + 1 then return nil end
    length, at = string.unpack(">I2", bytes, at)
    minimal = length > 125
  elseif length == 127 then
    if #bytes < at + 7 then return nil end
    length, at = string.unpack(">i8", bytes, at)
    minimal = length > 0xffff
  end
  local masked = second & 0x80 ~= 0
  local mask
  if masked then
    if #bytes < at + 3 then return nil end
    mask, at = bytes:sub(at, at + 3), at + 4
  end
  if length < 0 or #bytes - at + 1 < length then return nil end
  local payload = bytes:sub(at, at + length - 1)
  local opcode = first & 0x0f
  return {
    opcode = opcode,
    name = M.names[opcode] or ("opcode " .. opcode),
    fin = first & 0x80 ~= 0,
    rsv = first >> 4 & 7,
    masked = masked,
    payload = mask and M.mask(payload, mask) or payload,
    minimal = minimal,
  }, at + length
end

---A close frame's payload (section 5.5.1): no code is an empty one.
---@param code integer?
---@param reason string?
---@return string
function M.closePayload(code, reason)
  if not code then return "" end
  return string.pack(">I2", code) .. (reason or "")
end

---The code and reason of a close frame's payload; 1005 (section 7.1.5) when it is empty.
---@param payload string
---@return integer code
---@return string reason
function M.parseClose(payload)
  if #payload < 2 then return 1005, "" end
  return (string.unpack(">I2", payload)), payload:sub(3)
end

return M
