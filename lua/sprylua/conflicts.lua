-- Routes that contradict each other: two files for one method and path, one shape with two parameter names. Pure.

local M = {}

-- The text of a segment without its parameters' names: what decides which paths it matches.
local function shape(part)
  if type(part) == "string" then
    return part
  elseif part.parts then
    local out = {}
    for i, inner in ipairs(part.parts) do
      out[i] = shape(inner)
    end
    return table.concat(out)
  elseif part.rest ~= nil then
    return "[..." .. part.min .. "]"
  elseif part.optional then
    return "[[]]"
  end
  return "[" .. (part.match and "(" .. part.match .. ")" or "") .. "]"
end

---The shape of a path, the same text for every route that matches the same paths.
---@param segments sprylua.Segment[]
---@param count integer? only that many segments
---@return string
function M.shape(segments, count)
  local out = {}
  for i = 1, count or #segments do
    out[i] = "/" .. shape(segments[i])
  end
  return table.concat(out)
end

local function names_in(part)
  if type(part) == "string" then
    return nil
  elseif part.parts then
    local out = {}
    for _, inner in ipairs(part.parts) do
      out[#out + 1] = names_in(inner)
    end
    return table.concat(out, ",")
  end
  return part.rest or part.param or "_"
end

-- Lists in the order in which their keys first came, so that the report reads in file order.
local function grouping()
  local order, lists = {}, {}
  return order, function(key, value)
    local list = lists[key]
    if not list then
      list = {}
      lists[key], order[#order + 1] = list, list
    end
    list[#list + 1] = value
  end
end

local function labels(patterns)
  local out = {}
  for i, pattern in ipairs(patterns) do
    out[i] = pattern.label or pattern.file
  end
  return table.concat(out, ", ")
end

local function duplicates(routes, problems)
  local groups, add = grouping()
  for _, route in ipairs(routes) do
    add((route.method or "") .. M.shape(route.segments), route)
  end
  for _, group in ipairs(groups) do
    if #group > 1 then
      local first = group[1]
      problems[#problems + 1] = ("%s: all of them answer %s; keep one"):format(
        labels(group), first.method and first.method .. " " .. first.path or first.path)
    end
  end
end

local function two_names(patterns, problems)
  local groups, add = grouping()
  for _, pattern in ipairs(patterns) do
    for i, part in ipairs(pattern.segments) do
      local names = names_in(part)
      if names then
        add(M.shape(pattern.segments, i), { names = names, label = pattern.label or pattern.file })
      end
    end
  end
  for _, group in ipairs(groups) do
    local seen, files, names = {}, {}, {}
    for _, use in ipairs(group) do
      if not seen[use.names] then
        seen[use.names] = true
        files[#files + 1], names[#names + 1] = use, "'" .. use.names .. "'"
      end
    end
    if #names > 1 then
      problems[#problems + 1] = ("%s: the same place in the path is called %s; give it one name everywhere"):format(
        labels(files), table.concat(names, " and "))
    end
  end
end

---@param routes sprylua.Pattern[]
---@param others sprylua.Pattern[]? middleware and error files, whose folders' names count too
---@return string[] problems
function M.find(routes, others)
  local problems, all = {}, table.move(routes, 1, #routes, 1, {})
  duplicates(routes, problems)
  table.move(others or {}, 1, #(others or {}), #all + 1, all)
  two_names(all, problems)
  return problems
end

return M
