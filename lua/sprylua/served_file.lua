-- Responses of files. What is sent is decided when the head is about to be written (`finish`), so that the entity tag,
-- the length and the bytes are those of one and the same file.

local byteranges = require "sprylua.byteranges"
local core = require "sprylua.core"
local file_plan = require "sprylua.file_plan"
local headers = require "sprylua.headers"
local http_error = require "sprylua.http_error"
local ranges = require "sprylua.ranges"
local reasons = require "sprylua.reasons"
local response = require "sprylua.response"
local snapshot = require "sprylua.snapshot"
local vary = require "sprylua.vary"

local M = {}

local Headers, Response = headers.Headers, response.Response

local PIECE = 131072 -- bytes read at once of what is sent piece by piece

-- A file that changes whenever it has been read does not come to rest.
local ATTEMPTS = 20

---@class sprylua.ServedFile what `response.file` is
---@field path string
---@field look fun(path: string): sprylua.Snapshot?
---@field found sprylua.Snapshot? what `look` has just found there

-- The short way: names and values are known to be good.
local function set_default(fields, name, value)
  local n = #fields
  for i = 1, n, 2 do
    if fields[i] == name then
      return
    end
  end
  rawset(fields, n + 1, name)
  rawset(fields, n + 2, value)
end

-- ── the body ────────────────────────────────────────────────────────────────

-- The bytes of a range, piece by piece; false when the client has gone.
local function send_range(path, opened, range, write)
  local at = range.first
  while at <= range.last do
    local bytes, message = opened:read(math.min(PIECE, range.last - at + 1), at)
    if not bytes or bytes == "" then
      -- The length has been promised, so the only honest end is a broken connection.
      error(("%s: %s"):format(path, message or "became shorter while it was sent"), 0)
    elseif not write(bytes) then
      return false
    end
    at = at + #bytes
  end
  return true
end

---A producer (see sprylua.response) for pieces of an open file, which it closes.
---@param path string for errors
---@param opened sprylua.File
---@param pieces (string|sprylua.Range)[]
---@return fun(write: fun(chunk: string): boolean?)
function M.producer(path, opened, pieces)
  return function(write)
    local _ <close> = opened
    for _, piece in ipairs(pieces) do
      local sent
      if type(piece) == "string" then
        sent = write(piece)
      else
        sent = send_range(path, opened, piece, write)
      end
      if not sent then
        return
      end
    end
  end
end

local function joined(pieces, bytes)
  local parts = {}
  for i, piece in ipairs(pieces) do
    parts[i] = type(piece) == "string" and piece or bytes:sub(piece.first + 1, piece.last + 1)
  end
  return table.concat(parts)
end

-- Never called: the answer to HEAD has a length alone.
local function nothing() end

local function put_body(sent, plan, content, pieces)
  if not content then
    sent.stream, sent.length = nothing, byteranges.length(pieces)
  elseif type(content) ~= "string" then
    sent.stream, sent.length = M.producer(plan.chosen.path, content, pieces), byteranges.length(pieces)
  elseif plan.ranges then
    sent.body = joined(pieces, content)
  else
    sent.body = content
  end
end

-- ── the response ────────────────────────────────────────────────────────────

local function put_fields(sent, plan)
  local fields = sent.headers
  if sent.status == 200 then -- an error page that is a file is not the one that the client may ask for again
    set_default(fields, "etag", plan.etag)
    set_default(fields, "last-modified", plan.date)
    set_default(fields, "accept-ranges", "bytes")
  end
  if plan.coding then
    fields:set("content-encoding", plan.coding)
  end
  if plan.varies then
    vary.add(fields, "Accept-Encoding")
  end
end

-- What describes a content goes with it. A 304 keeps what a cache needs of it (RFC 9110, section 15.4.5).
local OF_CONTENT = { "content-type", "content-encoding", "content-language", "last-modified", "accept-ranges" }
local OF_CACHING = { "etag", "cache-control", "expires" }

local function delete(fields, names)
  for _, name in ipairs(names) do
    fields:delete(name)
  end
end

local function refuse(sent, plan)
  local fields = sent.headers
  sent.status = plan.refused
  delete(fields, OF_CONTENT)
  if plan.refused == 304 then
    return
  end
  delete(fields, OF_CACHING)
  if plan.refused == 416 then
    fields:set("content-range", ("bytes */%d"):format(plan.chosen.size))
  end
  fields:set("content-type", "text/plain; charset=utf-8")
  sent.body = reasons[plan.refused]
end

-- What the body is made of, and the status and headers that say so.
local function pieces_of(sent, plan)
  local size, list, fields = plan.chosen.size, plan.ranges, sent.headers
  if not list then
    return { { first = 0, last = size - 1 } }
  end
  sent.status = 206
  if #list == 1 then
    fields:set("content-range", ranges.describe(list[1], size))
    return list
  end
  local boundary = core.crypto.base64url(core.crypto.random(18))
  local pieces = byteranges.pieces(list, size, fields:get("content-type"), boundary)
  fields:set("content-type", "multipart/byteranges; boundary=" .. boundary)
  return pieces
end

-- What nearly every request gets: a file in memory, as it is.
local function whole(made, found, event)
  local sent = response.own(made, event)
  sent.headers = setmetatable({
    "content-type", sent.headers[2], "etag", found.etag, "last-modified", found.date, "accept-ranges", "bytes",
  }, Headers)
  rawset(sent, "body", found.bytes)
  return sent
end

-- What is sent by a plan; nil when the file changed between being looked at and being opened.
local function planned(made, event)
  local plan = file_plan.make(made, event)
  local content
  if not plan.refused and event.method ~= "HEAD" then
    content = plan.chosen:content()
    if not content then
      return nil
    end
  end
  local sent = response.own(made, event)
  put_fields(sent, plan)
  if plan.refused then
    refuse(sent, plan)
  else
    put_body(sent, plan, content, pieces_of(sent, plan))
  end
  return sent
end

local function attempt(made, event)
  local found = file_plan.asItIs(made, event)
  if found and found.bytes then
    return whole(made, found, event)
  end
  return planned(made, event)
end

---The `finish` of a response that has a `file`: what is sent for this request has a `body`, or a `stream` with its
---`length`. A body that somebody has put in the file's place is left alone.
---@param made sprylua.Response
---@param event table
---@return sprylua.Response
function M.finish(made, event)
  if made.body or made.stream then
    return made
  end
  if getmetatable(made.headers) ~= Headers then
    response.convert(made, { label = made.file.path, role = "file's route" })
  end
  for _ = 1, ATTEMPTS do
    local sent = attempt(made, event)
    if sent then
      return sent
    end
    made.file = { path = made.file.path, look = made.file.look } -- to be looked at again
  end
  error(("%s changes faster than it can be read"):format(made.file.path), 0)
end

---The response of a file for the request of this moment: `look` has just found it, so nobody needs to look again.
---@param found sprylua.Snapshot
---@param look fun(path: string): sprylua.Snapshot?
---@param event table
---@return sprylua.Response
function M.of(found, look, event)
  return setmetatable({
    status = 200,
    headers = setmetatable({ "content-type", found.type }, Headers),
    finish = M.finish,
    file = { path = found.path, look = look, found = found },
    owner = event,
  }, Response)
end

---Makes a response one of a file, by a path that a route has made; a 404 when it is no file's. See Response.file.
---@param made sprylua.Response
---@param path string
function M.fill(made, path)
  -- Such a path is nearly always made of a parameter: "files/" .. event.params.name with "../../secret" in it.
  local outside = ("/" .. path .. "/"):find("/../", 1, true) or path:find("\0", 1, true)
  local found = not outside and snapshot.look(path)
  if not found then
    error(http_error.NotFoundError(), 0)
  end
  made.file, made.finish = { path = found.path, look = snapshot.look }, M.finish
  set_default(made.headers, "content-type", found.type)
end

return M
