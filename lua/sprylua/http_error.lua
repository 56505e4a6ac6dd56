-- Errors that say which response they are: error(spry.HTTPError(401, { body = { error = "Unauthorized" } })).

local headers = require "sprylua.headers"
local reasons = require "sprylua.reasons"
local response = require "sprylua.response"

local M = {}

---@class sprylua.HTTPError
---@field status integer 400 to 599
---@field message string for the log, and the body when there is none
---@field body string|table|nil a table becomes JSON
---@field headers sprylua.Headers
---@field logged boolean? whoever raised it has logged it
---@field traceback string? where it was raised, once it was
---@field cause any itself: what was raised
local HTTPError = { __name = "sprylua.HTTPError" }
local methods = {}

function HTTPError:__index(key)
  if key == "cause" then
    return self -- not a field, or a JSON encoder would walk round in it
  end
  return methods[key]
end

function HTTPError:__tostring()
  return ("HTTP %d: %s"):format(self.status, self.message)
end

---The response that this error is.
---@return sprylua.Response
function methods:response()
  local is_json = type(self.body) == "table"
  local made = is_json and response.Response.json(self.body) or response.Response.text(self.body or self.message)
  made.status = self.status
  local fields = self.headers
  for i = 1, #fields, 2 do
    if fields[i] == "content-type" then
      made.headers:set(fields[i], fields[i + 1])
    else
      made.headers:append(fields[i], fields[i + 1])
    end
  end
  return made
end

---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == HTTPError
end

local ALLOWED = { body = true, headers = true, message = true }

local function check(status, init)
  if math.type(status) ~= "integer" or status < 400 or status > 599 then
    return ("an HTTPError's status is a whole number from 400 to 599, not %s"):format(tostring(status))
  elseif type(init) ~= "table" then
    return ("the second argument of HTTPError is a table such as { body = … }, not a %s"):format(type(init))
  end
  for key in pairs(init) do
    if not ALLOWED[key] then
      return ("HTTPError takes body, headers and message, not %s"):format(tostring(key))
    end
  end
  if init.body ~= nil and type(init.body) ~= "string" and type(init.body) ~= "table" then
    return ("an HTTPError's body is a string or a table, not a %s"):format(type(init.body))
  end
end

-- Level 3: the line that called the public function, which must not tail-call this one.
local function new(status, init)
  local problem = check(status, init)
  local fields
  if not problem then
    fields, problem = headers.from(init.headers)
  end
  if problem then
    error(problem, 3)
  end
  local message = init.message or type(init.body) == "string" and init.body or reasons[status] or "HTTP error"
  return setmetatable({ status = status, message = message, body = init.body, headers = fields }, HTTPError)
end

---An error to raise with `error(…)`.
---@param status integer 400 to 599
---@param init { body: string|table|nil, headers: table?, message: string? }?
---@return sprylua.HTTPError
function M.HTTPError(status, init)
  local err = new(status, init or {})
  return err
end

---404.
---@param message string?
---@return sprylua.HTTPError
function M.NotFoundError(message)
  local err = new(404, { message = message })
  return err
end

---405 with its Allow header.
---@param allow string|string[] the methods that are taken: "GET, HEAD" or { "GET", "HEAD" }
---@param message string?
---@return sprylua.HTTPError
function M.MethodNotAllowedError(allow, message)
  if type(allow) == "table" then
    allow = table.concat(allow, ", ")
  end
  local err = new(405, { message = message, headers = { allow = allow } })
  return err
end

return M
