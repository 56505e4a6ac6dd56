-- From what was raised to a response: the nearest _error file first, then outward, at last a plain page. Nothing in
-- here lets an error out.

local causes = require "sprylua.cause"
local http_error = require "sprylua.http_error"
local log = require "sprylua.log"
local message_handler = require "sprylua.message_handler"
local reasons = require "sprylua.reasons"
local response = require "sprylua.response"

local M = {}

---@class sprylua.Failure what an _error file and onError get when a Lua error was raised; an HTTPError comes as it is
---@field status integer 500, or 503 when memory ran out
---@field message string
---@field traceback string
---@field cause any what was raised
local Failure = { __name = "sprylua.Failure" }

function Failure:__tostring()
  return self.message
end

-- What xpcall hands back for an error; a table of its own, because the error itself may be nil.
local Raised = {}

---The message handler for every xpcall round user code. An HTTPError says what is wrong without a traceback.
---@param cause any
---@return table raised
function M.capture(cause)
  if http_error.is(cause) and cause.status < 500 then
    return setmetatable({ cause = cause, traceback = "" }, Raised)
  end
  return setmetatable({ cause = cause, traceback = debug.traceback("", 2):sub(2) }, Raised)
end
message_handler.own(M.capture)

-- Out of memory, or an error in the handler itself: Lua then hands back a message of its own instead of calling us.
local function opened(raised)
  if getmetatable(raised) == Raised then
    return raised.cause, raised.traceback
  end
  return raised, ""
end

-- What Lua itself raises, the same at each place.
local OUT_OF_MEMORY = "not enough memory"

---The `err` of an _error file.
---@param cause any
---@param traceback string?
---@return sprylua.Failure|sprylua.HTTPError
function M.describe(cause, traceback)
  if http_error.is(cause) then
    cause.traceback = traceback or ""
    return cause
  elseif getmetatable(cause) == Failure then
    return cause -- an _error file passed on what it got
  end
  local message = causes.describe(cause)
  local status = cause == OUT_OF_MEMORY and 503 or 500
  return setmetatable({ status = status, message = message, traceback = traceback or "", cause = cause }, Failure)
end

---Writes an error to the log and tells the project's onError.
---@param app table
---@param err table
---@param where string "GET /chat"
---@param subject any the event or the ws, for onError
function M.report(app, err, where, subject)
  local text = log.escape(("%s: %s"):format(where, err.message))
  if err.traceback and err.traceback ~= "" then
    text = text .. "\n" .. err.traceback
  end
  log.error(text)
  local hook = app.hooks and app.hooks.onError
  if hook then
    local ok, raised = xpcall(hook, M.capture, err, subject)
    if not ok then
      local cause, traceback = opened(raised)
      log.error(("hooks.lua: onError itself raised: %s\n%s"):format(causes.describe(cause), traceback))
    end
  end
end

local function report_request(app, err, event)
  if not err.logged then
    M.report(app, err, event.method .. " " .. event.path, event)
  end
end

-- A file for GET sees what HEAD raised too, since GET's handler answers HEAD.
local function applies(method, wanted)
  return method == nil or method == wanted or (method == "GET" and wanted == "HEAD")
end
M.applies = applies

local function default(err, dev)
  if http_error.is(err) then
    return err:response()
  end
  local text = dev and err.message .. "\n\n" .. err.traceback or reasons[err.status]
  return response.Response.text(text, { status = err.status })
end

-- A 405 without Allow, a 426 without Upgrade are wrong, however nice the page: what the error says in its headers
-- stays, unless the error file wrote the field itself or made another status of it.
local function keep_headers(answer, err)
  if http_error.is(err) and answer.status == err.status then
    for name, value in pairs(err.headers) do
      if not answer.headers:has(name) then
        answer.headers:append(name, value)
      end
    end
  end
  return answer
end

-- Runs one error file: its Response or nil when it has nothing to say; raises what it raises.
local function ask(handler, err, event)
  local result = handler.call(err, event)
  if result == nil then
    return nil
  end
  local answer = response.convert(result, handler, event, err.status)
  return keep_headers(response.own(answer, event), err)
end

---The response for what was raised while answering `event`.
---@param event table
---@param raised any what xpcall with `capture` returned
---@param errors table[] the error files, the nearest first
---@param app table
---@return sprylua.Response
function M.respond(event, raised, errors, app)
  local err = M.describe(opened(raised))
  for _, handler in ipairs(errors) do
    if applies(handler.method, event.method) then
      local ok, answer = xpcall(ask, M.capture, handler, err, event)
      if ok and answer then
        -- An error file that makes a 404 of some error of the project's own has dealt with it.
        if err.status >= 500 and answer.status >= 500 then
          report_request(app, err, event)
        end
        return answer
      elseif not ok then
        local worse = M.describe(opened(answer))
        if worse ~= err and err.status >= 500 then
          report_request(app, err, event)
        end
        err = worse
      end
    end
  end
  if err.status >= 500 then
    report_request(app, err, event)
  end
  local ok, answer = pcall(default, err, app.dev)
  if not ok then
    -- An HTTPError whose body is no JSON.
    log.error(("%s: the body of an HTTPError: %s"):format(log.escape(event.pathname), causes.describe(answer)))
    answer = response.Response.text("Internal Server Error", { status = 500 })
  end
  answer.owner = event -- made for this request just now
  return answer
end

---As `respond`, for what the C side caught.
---@param event table
---@param cause any
---@param traceback string?
---@param errors table[]
---@param app table
---@return sprylua.Response
function M.caught(event, cause, traceback, errors, app)
  return M.respond(event, setmetatable({ cause = cause, traceback = traceback }, Raised), errors, app)
end

return M
