-- A file in another coding that lies beside it: app.js.br, app.js.zst or app.js.gz, made by whoever built app.js.

local accept = require "sprylua.accept"

local M = {}

local CODINGS = { "br", "zstd", "gzip" } -- in order of preference
local SUFFIXES = { br = ".br", zstd = ".zst", gzip = ".gz" }

-- One that is older than the file was made of something else. Some compressors keep only the seconds of its date.
local function find(original, coding, look)
  local found = look(original.path .. SUFFIXES[coding])
  return found and found.modified >= original.modified and found or nil
end

-- Nearly always there are none, and looking costs more than all the rest: once a second must do for what comes.
local function codings_of(original, look)
  local now = os.time()
  if original.looked ~= now then
    local found = {}
    for _, coding in ipairs(CODINGS) do
      if find(original, coding, look) then
        found[#found + 1] = coding
      end
    end
    original.looked, original.codings = now, found
  end
  return original.codings
end

---Whether nothing lies beside a file.
---@param original sprylua.Snapshot
---@param look fun(path: string): sprylua.Snapshot?
---@return boolean
function M.isAlone(original, look)
  return #codings_of(original, look) == 0
end

---What to send in the place of a file.
---@param original sprylua.Snapshot
---@param look fun(path: string): sprylua.Snapshot?
---@param asked fun(name: string): string? the request's header fields
---@return sprylua.Snapshot chosen
---@return string? coding nil: the file as it is
---@return boolean varies another client may get another one
function M.choose(original, look, asked)
  local codings = codings_of(original, look)
  if #codings == 0 then
    return original, nil, false
  end
  local coding = accept.encoding(asked "accept-encoding", codings)
  local chosen = coding and find(original, coding, look)
  return chosen or original, chosen and coding, true
end

return M
