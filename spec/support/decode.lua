-- Content codings undone by decoders that are not ours: gzip's own program, and Node's zlib.

local M = {}

local NODE_BR = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(0)))"
local NODE_PART = "const s = require('zlib').%s(); s.on('data', d => process.stdout.write(d)); "
  .. "s.on('error', () => process.exit(1)); s.write(require('fs').readFileSync(0)); s.flush()"

local WHOLE = { gzip = "gzip -dc", br = ('node -e "%s"'):format(NODE_BR) }
local PART = {
  gzip = ('node -e "%s"'):format(NODE_PART:format "createGunzip"),
  br = ('node -e "%s"'):format(NODE_PART:format "createBrotliDecompress"),
}

-- What a command makes of such input, and whether it was content with it.
local function filter(command, bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  local pipe = assert(io.popen(("%s < %s 2>/dev/null"):format(command, path)))
  local text = pipe:read "a"
  local good = pipe:close()
  os.remove(path)
  return text, good == true
end

---What was encoded, and whether it is whole.
---@param coding "gzip"|"br"
---@param bytes string
---@return string text
---@return boolean whole
function M.whole(coding, bytes)
  return filter(WHOLE[coding], bytes)
end

---What can be decoded of a stream that has not ended.
---@param coding "gzip"|"br"
---@param bytes string
---@return string text
function M.part(coding, bytes)
  return (filter(PART[coding], bytes))
end

return M
