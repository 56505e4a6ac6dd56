-- What one request gets of a file: which representation, whether the client has that already (RFC 9110, section 13),
-- and which bytes of it (section 14). By what the file is now, and by the headers that route and middleware have set.

local conditional = require "sprylua.conditional"
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

local function choose(made, event)
  local file = made.file
  local original = file.found or file.look(file.path)
  if not original then
    error(http_error.NotFoundError(), 0)
  end
  if made.headers:has("content-encoding") then
    return original, nil, false
  end
  return precompressed.choose(original, file.look, event.headers)
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

---What to send of `response.file` for this request; raises a 404 when the file is gone.
---@param made sprylua.Response
---@param event table
---@return sprylua.FilePlan
function M.make(made, event)
  local fields, plan = made.headers, {}
  plan.chosen, plan.coding, plan.varies = choose(made, event)
  local date = fields:get("last-modified")
  plan.date, plan.etag = date or plan.chosen.date, fields:get("etag") or plan.chosen.etag
  if made.status ~= 200 or not READS[event.method] then
    return plan
  end
  local modified = plan.chosen.modified
  if date then
    modified = http_date.parse(date)
  end
  local asked = event.headers
  local function get(name)
    return asked:get(name)
  end
  plan.refused = conditional.evaluate(event.method, get, plan.etag, modified)
  if not plan.refused and event.method == "GET" then
    cut(plan, get, fields, modified)
  end
  return plan
end

return M
