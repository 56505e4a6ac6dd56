-- What a file name under routes/ means: its segments, its method and its kind. Pure: no disk, no core.
--
--   users/[id([0-9]+)].get.lua  ->  route, GET, { "users", { param = "id", match = "[0-9]+" } }
--
-- A segment is what `core.router` takes: a string, or a table with `param`, `parts` or `rest`.

local constraint = require "sprylua.constraint"

local M = {}

---@alias sprylua.Segment string|{param: string|false, match: string?}|{rest: string|false, min: integer}|{parts: table}
---@class sprylua.Pattern
---@field file string the path under routes/, with "/" between the folders
---@field folder string the folder that holds it, "" for routes/ itself
---@field kind "route"|"middleware"|"error"
---@field method string? "GET" …; nil: every method
---@field segments sprylua.Segment[] a middleware or an error file: those of its folder
---@field path string for people: "/users/:id"

-- The suffixes of file names, and nothing else: `about.foo.lua` is the static segment "about.foo".
local METHODS = {
  get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE", head = "HEAD", options = "OPTIONS",
}
local KINDS = { _middleware = "middleware", _error = "error" }

-- One bracket, from its "[": returns a segment table and what comes behind, or nil and what is wrong.
local function bracket(name, start)
  local double = name:sub(start, start + 1) == "[["
  local at = start + (double and 2 or 1)
  local rest = name:sub(at, at + 2) == "..."
  at = at + (rest and 3 or 0)
  local id = name:match("^[^%[%]%(%)%+]*", at)
  at = at + #id
  local plus = name:sub(at, at) == "+"
  at = at + (plus and 1 or 0)
  local match
  if name:sub(at, at) == "(" then
    match, at = constraint.read(name, at + 1)
    if not match then
      return nil, ("'[%s': %s"):format(id, at)
    end
  end
  local close = double and "]]" or "]"
  if name:sub(at, at + #close - 1) ~= close then
    return nil, ("'%s' is not closed with '%s'"):format(name:sub(start, at - 1), close)
  end
  at = at + #close
  local text = name:sub(start, at - 1)
  if id == "" and not rest then
    return nil, ("'%s' has no name; an unnamed segment is '[_]'"):format(text)
  elseif id ~= "" and not id:find("^[%a_][%w_]*$") then
    return nil, ("'%s': a parameter's name is letters, digits and '_', and begins with no digit"):format(text)
  elseif plus and not rest then
    return nil, ("'%s': '+' belongs to a rest, as in '[...%s+]'"):format(text, id)
  elseif plus and double then
    return nil, ("'%s' says both one-or-more and zero-or-more; write '[...%s+]' or '[[...%s]]'"):format(text, id, id)
  elseif match and (rest or double) then
    return nil, ("'%s': only a plain parameter takes a pattern, as in '[%s(%s)]'"):format(text, id, match)
  end
  local named = id ~= "" and id ~= "_" and id
  if rest then
    return { rest = named, min = double and 0 or 1, plus = plus or nil }, at
  end
  return { param = named, match = match, optional = double or nil }, at
end

-- "post-[id].json" -> { "post-", { param = "id" }, ".json" }
local function tokens(name)
  local list, at = {}, 1
  while at <= #name do
    local mark = name:find("[%[%]]", at) or #name + 1
    if mark > at then
      list[#list + 1] = name:sub(at, mark - 1)
    end
    if mark <= #name then
      if name:sub(mark, mark) == "]" then
        return nil, "there is a ']' without a '['"
      end
      local token, after = bracket(name, mark)
      if not token then
        return nil, after
      end
      list[#list + 1], mark = token, after
    end
    at = mark
  end
  return list
end

-- Tokens -> one segment.
local function segment(list)
  if #list == 1 then
    return list[1]
  end
  for i, token in ipairs(list) do
    if type(token) == "table" then
      if token.rest ~= nil or token.optional then
        return nil, "a rest or an optional parameter must be alone between the slashes"
      elseif type(list[i + 1]) == "table" then
        return nil, "two parameters touch; put a character between them"
      end
    end
  end
  return { parts = list }
end

---The method that a suffix such as "get" stands for.
---@param suffix string?
---@return string? method
function M.method(suffix)
  return METHODS[suffix]
end

-- Takes ".get" off the end of the tokens.
local function take_method(list)
  local last = list[#list]
  if type(last) ~= "string" then
    return nil
  end
  local before, suffix = last:match("^(.*)%.([^.]*)$")
  if not before or (before == "" and #list == 1) or not METHODS[suffix:lower()] then
    return nil
  elseif not METHODS[suffix] then
    return nil, ("the method suffix '.%s' is written in lower case: '.%s'"):format(suffix, suffix:lower())
  end
  list[#list] = before ~= "" and before or nil
  return METHODS[suffix]
end

---One folder's name -> its segment; true for a group, which has none.
---@param name string
---@return sprylua.Segment|true|nil segment
---@return string? problem
function M.folder(name)
  if name:sub(1, 1) == "_" then
    return nil, "names that begin with '_' are kept for _middleware.lua and _error.lua; rename the folder"
  elseif name:find("^%(") then
    if not name:find("^%([^()%[%]]+%)$") then
      return nil, ("'%s' is not a group; write it as '(name)'"):format(name)
    end
    return true
  end
  local list, problem = tokens(name)
  if not list then
    return nil, problem
  end
  return segment(list)
end

-- The base name, without ".lua": kind, method, segment (nil: the folder's own path).
local function file_segment(base)
  if base:sub(1, 1) == "_" then
    local name, suffix = base:match("^(_[^.]*)%.?(.*)$")
    if not KINDS[name] then
      return nil, "names that begin with '_' are kept for _middleware.lua and _error.lua"
    elseif suffix ~= "" and not METHODS[suffix] then
      return nil, ("'.%s' is not a method; take one of .get .post .put .patch .delete .head .options"):format(suffix)
    end
    return KINDS[name], METHODS[suffix]
  elseif base:sub(1, 1) == "(" then
    return nil, "a group is a folder, as in '(name)/index.lua'"
  end
  local list, problem = tokens(base)
  if not list then
    return nil, problem
  end
  local method
  method, problem = take_method(list)
  if problem then
    return nil, problem
  elseif #list == 1 and list[1] == "index" then
    return "route", method
  end
  local found
  found, problem = segment(list)
  if not found then
    return nil, problem
  end
  return "route", method, found
end

local function each_param(part, visit)
  if type(part) ~= "table" then
    return
  elseif part.parts then
    for _, inner in ipairs(part.parts) do
      each_param(inner, visit)
    end
  elseif part.param or part.rest then
    visit(part.param or part.rest)
  end
end

---The names of the parameters, in order.
---@param segments sprylua.Segment[]
---@return string[]
function M.names(segments)
  local names = {}
  for _, part in ipairs(segments) do
    each_param(part, function(name)
      names[#names + 1] = name
    end)
  end
  return names
end

-- The router's: SPRY_MAX_SEGMENTS and SPRY_MAX_PARAMS.
local MAX_SEGMENTS, MAX_PARAMS = 64, 16

local function count_params(part)
  if type(part) ~= "table" then
    return 0
  end
  local count = part.parts and 0 or 1
  for _, inner in ipairs(part.parts or {}) do
    count = count + count_params(inner)
  end
  return count
end

-- `spare`: what the router adds to them, a rest below a folder.
local function check_size(segments, spare)
  local params = 0
  for _, part in ipairs(segments) do
    params = params + count_params(part)
  end
  if #segments > MAX_SEGMENTS - spare then
    return ("its path has more than %d segments"):format(MAX_SEGMENTS - spare)
  elseif params > MAX_PARAMS - spare then
    return ("its path has more than %d parameters"):format(MAX_PARAMS - spare)
  end
end

local function check(segments)
  local seen = {}
  for _, name in ipairs(M.names(segments)) do
    if seen[name] then
      return ("the parameter '%s' is there twice; give each its own name"):format(name)
    end
    seen[name] = true
  end
  for i = 1, #segments - 1 do
    local part = segments[i]
    if type(part) == "table" and part.rest ~= nil then
      return "a rest takes everything that follows, so it must be the last segment"
    elseif type(part) == "table" and part.optional then
      return "an optional parameter must be the last segment"
    end
  end
end

local function show(part)
  if type(part) == "string" then
    return part
  elseif part.parts then
    local out = {}
    for i, inner in ipairs(part.parts) do
      out[i] = show(inner)
    end
    return table.concat(out)
  elseif part.rest ~= nil then
    return ":" .. (part.rest or "_") .. (part.min == 0 and "*" or "+")
  end
  return ":" .. (part.param or "_") .. (part.match and "(" .. part.match .. ")" or "") .. (part.optional and "?" or "")
end

---Segments for people: "/users/:id", "/docs/:section?", "/:slug*".
---@param segments sprylua.Segment[]
---@return string
function M.show(segments)
  local out = {}
  for i, part in ipairs(segments) do
    out[i] = show(part)
  end
  return "/" .. table.concat(out, "/")
end

---Reads one path under routes/.
---@param file string "users/[id].get.lua"
---@return sprylua.Pattern? pattern
---@return string? problem a sentence
function M.parse(file)
  local folder, base = file:match("^(.-)/?([^/]*)%.lua$")
  local segments = {}
  for name in folder:gmatch("[^/]+") do
    local part, problem = M.folder(name)
    if not part then
      return nil, problem
    elseif part ~= true then
      segments[#segments + 1] = part
    end
  end
  local kind, method, last = file_segment(base)
  if not kind then
    return nil, method
  end
  segments[#segments + 1] = last
  local problem = check(segments) or check_size(segments, kind == "route" and 0 or 1)
  if problem then
    return nil, problem
  end
  local first = segments[1]
  if type(first) == "table" and first.rest ~= nil then
    -- At the root a plain "[...slug]" is the fallback of the whole site, "/" too. Other rests mean what they say.
    first.min = first.plus and 1 or 0
  end
  if type(segments[#segments]) == "table" then
    segments[#segments].plus = nil
  end
  return { file = file, folder = folder, kind = kind, method = method, segments = segments, path = M.show(segments) }
end

return M
