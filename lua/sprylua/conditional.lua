-- Conditional requests (RFC 9110, section 13): whether what the client asked for under a condition is to be sent. Pure.

local http_date = require "sprylua.http_date"

local M = {}

-- An entity tag may have commas in it, so a list is not cut at its commas.
local STRONG = "^(\"[!\x23-\x7e\x80-\xff]*\")[ \t]*()"
local WEAK = "^W/(\"[!\x23-\x7e\x80-\xff]*\")[ \t]*()"

-- One tag as { opaque part, whether it is weak }, and where it ends; nil where there is none.
local function read_tag(text, at)
  local opaque, after = text:match(STRONG, at)
  if opaque then
    return opaque, false, after
  end
  opaque, after = text:match(WEAK, at)
  return opaque, true, after
end

---Whether one of the tags in a list is `etag`. A list ends where it is malformed; what was in front of that counts.
---@param list string the value of If-Match or If-None-Match
---@param etag string
---@param strong boolean? the strong comparison (RFC 9110, section 8.8.3.2), which weak tags never pass
---@return boolean
function M.matches(list, etag, strong)
  local wanted, wanted_weak = read_tag(etag, 1)
  local at = list:match("^[ \t,]*()")
  while wanted do
    local opaque, weak, after = read_tag(list, at)
    if not opaque then
      return false
    elseif opaque == wanted and not (strong and (weak or wanted_weak)) then
      return true
    end
    at = list:match("^,[ \t,]*()", after)
    if not at then
      return false
    end
  end
  return false
end

local function holds(list, etag, strong)
  return list:match("^[ \t]*%*[ \t]*$") ~= nil or (etag ~= nil and M.matches(list, etag, strong))
end

-- Whether it was changed after that date; nil when nobody can say, and the condition is to be ignored.
local function changed_since(text, last_modified)
  local date = text and last_modified and http_date.parse(text)
  return date and last_modified > date
end

-- Methods that neither select nor change a representation (section 13.2.1).
local WITHOUT = { OPTIONS = true, TRACE = true, CONNECT = true }

---What the conditions of a request make of its response, in the order of section 13.2.2. Only for one that would be a
---2xx without them. `get` is called with the names of header fields, in lower case.
---@param method string
---@param get fun(name: string): string?
---@param etag string? of what would be sent
---@param last_modified integer? of what would be sent; a time as os.time gives it
---@return 304|412|nil status nil: go on as if nothing had been asked
function M.evaluate(method, get, etag, last_modified)
  if WITHOUT[method] then
    return nil
  end
  local reads = method == "GET" or method == "HEAD"
  local if_match, if_none_match = get "if-match", get "if-none-match"
  if if_match then
    if not holds(if_match, etag, true) then
      return 412
    end
  elseif changed_since(get "if-unmodified-since", last_modified) then
    return 412
  end
  if if_none_match then
    return holds(if_none_match, etag, false) and (reads and 304 or 412) or nil
  end
  return reads and changed_since(get "if-modified-since", last_modified) == false and 304 or nil
end

---Whether an If-Range lets a Range be answered with a part (section 13.1.5): only for exactly what the client has.
---@param value string the field
---@param etag string?
---@param last_modified integer?
---@return boolean
function M.rangeApplies(value, etag, last_modified)
  if value:find("\"", 1, true) then
    return etag ~= nil and M.matches(value, etag, true)
  end
  return last_modified ~= nil and http_date.parse(value) == last_modified
end

return M
