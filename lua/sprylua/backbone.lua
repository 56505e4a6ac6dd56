-- What connects this process with the others that serve the same app. Alone, there is nothing to connect: what is told
-- then is told to nobody.

local M = {}

---@type table<string, fun(...: string)>
local listeners = {}

---@type fun(...: string)?
local send

---@type table<string, fun(...: string): boolean?>
local carriers = {}

---Who carries messages to the others.
---@param carrier fun(...: string)
function M.connect(carrier)
  send = carrier
end

---Who carries what is about `what`, in the place of the one above: `carrier` gets the rest of each message. When it
---returns false it can't, and the one above does.
---@param what string
---@param carrier fun(...: string): boolean?
function M.carry(what, carrier)
  carriers[what] = carrier
end

---Whether there are others.
---@return boolean
function M.connected()
  return send ~= nil or next(carriers) ~= nil
end

---Tells the others: what it is about, and the rest as strings.
---@param what string
---@param ... string
function M.tell(what, ...)
  local carrier = carriers[what]
  if carrier and carrier(...) ~= false then
    return
  end
  if send then
    send(what, ...)
  end
end

---Calls `fn` with the rest of each message that is about `what`. It runs no code of the app, and does not wait.
---@param what string
---@param fn fun(...: string)
function M.on(what, fn)
  listeners[what] = fn
end

---A message has come.
---@param what string
---@param ... string
function M.heard(what, ...)
  local listener = listeners[what]
  if listener then
    listener(...)
  end
end

return M
