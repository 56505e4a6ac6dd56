-- What one request gets of a file: which representation, whether the client has that already (RFC 9110, section 13),
-- and which bytes of it (section 14). By what the file is now, and by the headers that route and middleware have set.

local conditional = require "sprylua.conditional"
local core = require "sprylua.core"
local http_date = require "sprylua.http_date"
local http_error = require "sprylua.http_error"
local precompressed = require "sprylua.precompressed"
local ranges = require "sprylua.ranges"

local M = {}

---@class sprylua.FilePlan
---@field chosen sprylua.Snapshot
---@field coding string? of what was chosen
---@field varies boolean another client may get another representation
---@field etag string
---@field date string of Last-Modified
---@field refused integer? 304, 412 or 416: nothing of the file is sent
---@field ranges sprylua.Range[]? what is sent of it, when that is not all

local function choose(made, get)
  local file = made.file
  local original = file.found or file.look(file.path)
  if not original then
    error(http_error.NotFoundError(), 0)
  end
  if made.headers:has("content-encoding") then
    return original, nil, false
  end
  return precompressed.choose(original, file.look, get)
end

-- A body of several parts is not encoded as a whole, and its parts can't say that they are.
local function allows(list, plan, fields)
  return #list <= 1 or not plan.coding and not fields:has("content-encoding")
end

-- What Range and If-Range make of it.
local function cut(plan, get, fields, modified)
  local asked = fields:get("accept-ranges") ~= "none" and get("range")
  local condition = asked and get("if-range")
  if not asked or condition and not conditional.rangeApplies(condition, plan.etag, modified) then
    return
  end
  local list = ranges.parse(asked, plan.chosen.size)
  if list and #list == 0 then
    plan.refused = 416
  elseif list and allows(list, plan, fields) then
    plan.ranges = list
  end
end

-- A condition is about what is there to be read: after a POST it comes too late.
local READS = { GET = true, HEAD = true }

local header = core.request.header

-- Nobody has set anything but what a file's response begins with.
local function is_untouched(made)
  local fields = made.headers
  return made.status == 200 and #fields == 2 and fields[1] == "content-type"
end

local ASKED = { "range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since" }

local function asks_for_all(event)
  for i = 1, #ASKED do
    if header(event, ASKED[i]) then
      return false
    end
  end
  return event.method == "GET"
end

---The file itself, when nothing is to be planned, which is nearly always so; nil: see `make`.
---@param made sprylua.Response
---@param event table
---@return sprylua.Snapshot?
function M.asItIs(made, event)
  if not is_untouched(made) or not asks_for_all(event) then
    return nil
  end
  local file = made.file
  local found = file.found or file.look(file.path)
  return found and precompressed.isAlone(found, file.look) and found or nil
end

---What to send of `response.file` for this request; raises a 404 when the file is gone.
---@param made sprylua.Response
---@param event table
---@return sprylua.FilePlan
function M.make(made, event)
  local fields, method = made.headers, event.method
  local function get(name)
    return header(event, name)
  end
  local chosen, coding, varies = choose(made, get)
  local date, etag = fields:get "last-modified", fields:get "etag"
  local plan = {
    chosen = chosen, coding = coding, varies = varies, date = date or chosen.date, etag = etag or chosen.etag,
  }
  if made.status ~= 200 or not READS[method] then
    return plan
  end
  local modified = chosen.dated
  if date then
    modified = http_date.parse(date)
  end
  plan.refused = conditional.evaluate(method, get, plan.etag, modified)
  if not plan.refused and method == "GET" then
    cut(plan, get, fields, modified)
  end
  return plan
end

return M
