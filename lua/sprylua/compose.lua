-- Middleware, handler and error files become one function(event), at load. A route without middleware keeps its own
-- handler as entry, with nothing around it; what it raises and returns is looked up in the registry when it happens.

local core = require "sprylua.core"
local failure = require "sprylua.failure"
local registry = require "sprylua.registry"
local response = require "sprylua.response"

local M = {}

---@class sprylua.Step a middleware or an error file
---@field call function
---@field label string the file's name in messages
---@field role string "middleware" or "error file"
---@field method string? only for that method

---@class sprylua.Level what one folder adds, or what a defineHandler adds
---@field middleware sprylua.Step[]
---@field errors sprylua.Step[]

---@class sprylua.Composition
---@field handler fun(event: table): any
---@field label string
---@field method string? of the route; nil: every method
---@field levels sprylua.Level[] outermost first
---@field app table

local capture, respond, own, convert = failure.capture, failure.respond, response.own, response.convert
local Response, Headers = response.Response, require("sprylua.headers").Headers
local getmetatable, xpcall = getmetatable, xpcall

-- What `inner` gave as a Response that is this request's own, whatever it was: what it returned, or what `capture` made
-- of what it raised.
local function settled(event, ok, result, scope)
  if ok and (getmetatable(result) ~= Response or getmetatable(result.headers) ~= Headers) then
    ok, result = xpcall(convert, capture, result, scope.source, event)
  end
  if ok then
    return own(result, event)
  end
  return respond(event, result, scope.errors, scope.app)
end

---Calls `inner` as `next()` calls what is behind it: whatever happens inside, a Response comes out.
---@param inner fun(event: table): any
---@param event table
---@param scope sprylua.Entry? whose value `inner` returns and whose error files see what it raises; nil: the route's
---@return sprylua.Response
function M.settle(inner, event, scope)
  local ok, result = xpcall(inner, capture, event)
  return settled(event, ok, result, scope or registry.of(event))
end

local settle = M.settle

local function guard(inner, scope)
  return function(event)
    return settle(inner, event, scope)
  end
end

-- A middleware with what is behind it. The scope is for one that is made of others, which settles what is between them.
local function around(call, scope, inner, inner_scope)
  return core.around { call, inner, scope, inner_scope, capture, settled }
end

-- The error files seen from level `n`, the nearest first.
local function errors_from(levels, n)
  local list = {}
  for i = n, 1, -1 do
    table.move(levels[i].errors, 1, #levels[i].errors, #list + 1, list)
  end
  return list
end

-- The middleware that runs for `method`, outermost first, each with the number of its level.
local function steps_for(levels, method)
  local steps = {}
  for n, level in ipairs(levels) do
    for _, step in ipairs(level.middleware) do
      if step.method == nil or failure.applies(step.method, method) then
        steps[#steps + 1] = { step = step, level = n }
      end
    end
  end
  return steps
end

-- One chain: the function to call, and its scope.
local function chain(c, method)
  local entry = c.handler
  local scope = {
    source = { label = c.label, role = "handler" }, errors = errors_from(c.levels, #c.levels), app = c.app,
  }
  local steps = steps_for(c.levels, method)
  for i = #steps, 1, -1 do
    local step = steps[i].step
    local outer = { source = step, errors = errors_from(c.levels, steps[i].level), app = c.app }
    entry = around(step.call, outer, entry, scope)
    scope = outer
  end
  return entry, scope
end

-- The methods that need a chain of their own, because some middleware is for them alone.
local function special_methods(c)
  local methods = {}
  for _, level in ipairs(c.levels) do
    for _, step in ipairs(level.middleware) do
      local method = step.method
      if method and (c.method == nil or c.method == method or (c.method == "GET" and method == "HEAD")) then
        methods[method] = true
        if method == "GET" then
          methods.HEAD = true
        end
      end
    end
  end
  if c.method and next(methods) then
    methods[c.method] = true
  end
  return methods
end

local function same_steps(c, a, b)
  local first, second = steps_for(c.levels, a), steps_for(c.levels, b)
  for i = 1, math.max(#first, #second) do
    if not first[i] or not second[i] or first[i].step ~= second[i].step then
      return false
    end
  end
  return true
end

local function wrapped(entry)
  return function(event)
    return entry(event)
  end
end

-- The C side knows an entry only as a function, so each must stand for one file of one app.
local function note(entry, record)
  if not registry.add(entry, record) then
    entry = wrapped(entry)
    registry.add(entry, record)
  end
  return entry
end

-- Several chains behind one entry. Every one is guarded: their outermost files differ, and the registry knows but one.
local function by_method(c, methods)
  local chains = {}
  for method in pairs(methods) do
    chains[method] = guard(chain(c, method))
  end
  local entry, scope = chain(c, nil)
  local general = guard(entry, scope)
  return note(function(event)
    return (chains[event.method] or general)(event)
  end, scope)
end

---The entry for one route or one kind of miss.
---@param c sprylua.Composition
---@return fun(event: table): any
function M.entry(c)
  local special = special_methods(c)
  local usual = c.method
  for method in pairs(special) do
    if not same_steps(c, method, usual) then
      return by_method(c, special)
    end
  end
  return note(chain(c, usual))
end

---For core.app: what an entry returned that is neither a string nor a Response.
---@param event table
---@param value any
---@return sprylua.Response
function M.convert(event, value)
  return response.convert(value, registry.of(event).source, event)
end

---For core.app: what an entry or `convert` raised.
---@param event table
---@param cause any
---@param traceback string?
---@return sprylua.Response
function M.failed(event, cause, traceback)
  local record = registry.of(event)
  return failure.caught(event, cause, traceback, record.errors, record.app)
end

return M
