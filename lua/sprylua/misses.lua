-- What happens where no route matches: a file of public/, an OPTIONS answer, 405 or 404. Each folder with middleware or
-- error files has a miss of its own, so that they see these answers too.

local compose = require "sprylua.compose"
local conflicts = require "sprylua.conflicts"
local core = require "sprylua.core"
local http_error = require "sprylua.http_error"
local response = require "sprylua.response"

local M = {}

-- The innermost handler of every miss.
local function handler(public)
  return function(event)
    local method = event.method
    if public and (method == "GET" or method == "HEAD") then
      local found = public:lookup(event)
      if found then
        return found
      end
    end
    local allow = core.request.allow(event)
    if not allow then
      error(http_error.NotFoundError(), 0)
    elseif method == "OPTIONS" then
      local made = response.Response.empty()
      made.headers:set("allow", allow)
      return made
    end
    error(http_error.MethodNotAllowedError(allow), 0)
  end
end

local function groups_in(folder)
  return select(2, folder:gsub("%f[^/\0]%([^/]*%)", ""))
end

-- The folders that have a path to be missed below, the one with the fewest groups first.
local function scopes(tree)
  local list = { "" }
  for _, folder in ipairs(tree.folders) do
    -- A group adds no path, so a miss cannot be in it; a folder below a group has a path again.
    if folder ~= "" and not folder:find("%([^/]*%)$") then
      list[#list + 1] = folder
    end
  end
  table.sort(list, function(a, b)
    local m, n = groups_in(a), groups_in(b)
    if m ~= n then
      return m < n
    end
    return a < b
  end)
  return list
end

local function segments_of(tree, folder)
  local list = tree.middleware[folder] or tree.errors[folder]
  local segments = list and table.move(list[1].segments, 1, #list[1].segments, 1, {}) or {}
  local last = segments[#segments]
  if type(last) == "table" and (last.rest ~= nil or last.optional) then
    segments[#segments] = nil -- what follows the folder's path is the rest below anyway
  end
  return segments
end

---Builds the router of misses. `levels_of(folder)` gives a folder's levels for compose.
---@param tree sprylua.Tree
---@param public sprylua.Public?
---@param app table
---@param levels_of fun(folder: string): sprylua.Level[]
---@return table router
---@return fun(pathname: string): sprylua.Level[] levels those that a path below no route runs through
function M.build(tree, public, app, levels_of)
  local innermost, seen, list, levels = handler(public), {}, {}, {}
  for _, folder in ipairs(scopes(tree)) do
    local segments = segments_of(tree, folder)
    local shape = conflicts.shape(segments)
    if not seen[shape] then
      seen[shape] = true
      segments[#segments + 1] = { rest = false, min = 0 }
      local own = levels_of(folder)
      local entry = compose.entry { handler = innermost, label = "(no route)", levels = own, app = app }
      levels[entry] = own
      list[#list + 1] = { segments = segments, entry = entry }
    end
  end
  local router = core.router(list)
  return router, function(pathname)
    return levels[router:match("GET", pathname)]
  end
end

return M
