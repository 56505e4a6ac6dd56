-- `spry.render`: the templates in a project's views/ folder, compiled when the project is loaded. With several projects
-- in one process (specs have that) the one whose request is being answered counts, else the one that was loaded last.

local core = require "sprylua.core"
local html = require "sprylua.html"
local lazy = require "sprylua.lazy"
local nearest = require "sprylua.nearest"
local registry = require "sprylua.registry"
local response = require "sprylua.response"
local scan = require "sprylua.scan"

local template = lazy "sprylua.template" ---@module "sprylua.template"

local M = {}

local DEEPEST = 100 -- views in each other

-- What a template sees beside its values.
local BASICS = {
  __index = {
    raw = html.raw,
    ipairs = ipairs, pairs = pairs, next = next, select = select,
    tostring = tostring, tonumber = tonumber, type = type,
    string = string, table = table, math = math, utf8 = utf8,
    os = { date = os.date, time = os.time },
  },
}

---@class sprylua.Views
---@field folder string as messages call it
---@field templates table<string, fun(env: table): string> by name
local Views = {}
Views.__index = Views

-- ── rendering ───────────────────────────────────────────────────────────────

local function unknown(self, name)
  local names = {}
  for known in pairs(self.templates) do
    names[#names + 1] = known
  end
  table.sort(names)
  local hint = name:find "%.html$" and " (a view's name goes without .html)" or nearest.hint(name, names)
  return ("there is no view %s/%s.html%s"):format(self.folder, name, hint)
end

-- Why this cannot be rendered, if it can't.
local function problem_in(self, name, values)
  if type(name) ~= "string" then
    return ("render takes the name of a view, not a %s"):format(type(name))
  elseif not self.templates[name] then
    return unknown(self, name)
  elseif values ~= nil and type(values) ~= "table" then
    return ("the values for the view %s are a table such as { name = … }, not a %s"):format(name, type(values))
  end
  for key in next, values or {} do
    if type(key) ~= "string" then
      return ("the values for the view %s have names, as in { name = … }; this one has the key %s"):format(name,
        tostring(key))
    end
  end
end

local function copy(values)
  local out = {}
  for name, value in next, values or {} do
    out[name] = value
  end
  return out
end

local function write(self, name, values, depth)
  if depth > DEEPEST then
    local sentence = "%s/%s.html: there are more than %d views in each other; does one render itself?"
    error(sentence:format(self.folder, name, DEEPEST), 0)
  end
  local outer
  local helpers = {
    render = function(partial, its_values)
      local problem = problem_in(self, partial, its_values)
      if problem then
        error(problem, 2)
      end
      return html.raw(write(self, partial, its_values, depth + 1))
    end,
    layout = function(layout)
      local problem = problem_in(self, layout)
      if problem then
        error(problem, 2)
      end
      outer = layout
    end,
  }
  local env = setmetatable(copy(values), { __index = setmetatable(helpers, BASICS) })
  local text = self.templates[name](env)
  if not outer then
    return text
  end
  env.body = html.raw(text) -- the layout sees all that this view knew, and this
  return write(self, outer, env, depth + 1)
end

-- ── reading a folder ────────────────────────────────────────────────────────

local latest ---@type sprylua.Views?

local function read_file(path)
  local file, message = io.open(path, "rb")
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text, message or path .. ": it cannot be read"
end

local function compile(self, name, problems)
  local path = ("%s/%s.html"):format(self.folder, name)
  local text, problem = read_file(path)
  local render
  if text then
    render, problem = template.compile(text, path)
  end
  self.templates[name] = render
  problems[#problems + 1] = not render and problem or nil
end

---The views of a project, from now on those of the project that was loaded last.
---@param folder string views/, as messages call it
---@param exists boolean a project need not have any
---@return sprylua.Views views
---@return string[] problems "views/x.html:3: …"
---@return string[] warnings
function M.load(folder, exists)
  local self, problems, warnings = setmetatable({ folder = folder, templates = {} }, Views), {}, {}
  latest = self
  if exists then
    scan.walk(scan.readdir(folder), function(path, entry)
      if entry.name:find "^%." then
        return false
      elseif entry.type == "file" and path:find "%.html$" then
        compile(self, path:sub(1, -6), problems)
      end
      return entry.type == "directory"
    end, function(path, sentence)
      warnings[#warnings + 1] = ("%s/%s: %s"):format(folder, path, sentence)
    end)
  end
  return self, problems, warnings
end

---Makes `views` those of the project that was loaded last, and returns which were.
---@param views sprylua.Views?
---@return sprylua.Views?
function M.use(views)
  local before = latest
  latest = views
  return before
end

-- ── spry.render ─────────────────────────────────────────────────────────────

local function current()
  local event = core.request.current()
  local entry = event and registry.of(event)
  return entry and entry.app.views or latest
end

---An HTML response made of views/<name>.html.
---@param name string such as "users/show"
---@param values table<string, any>? what the view sees, by name
---@param init sprylua.ResponseInit?
---@return sprylua.Response
function M.render(name, values, init)
  local self = current()
  local problem = self and problem_in(self, name, values)
    or not self and "render takes its views from a project, and none is loaded; in a spec: testing.app \"routes\""
  if problem then
    error(problem, 2)
  end
  local text = write(self, name, values, 1)
  local ok, made = pcall(response.Response.html, text, init)
  if not ok then
    error(made, 2) -- what is wrong with init, said at the caller's line
  end
  return made
end

return M
