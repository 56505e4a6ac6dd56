-- Coroutines that wait for real things, from a spec that waits for them.

local server = require "spec.support.server"

local M = {}

---@class spec.Running
---@field thread thread
---@field done boolean
local Running = {}
Running.__index = Running

---What the function returned, when it has. Raises what it raised.
function Running:result(seconds)
  server.wait(function() return self.done end, "end of a coroutine", seconds)
  if not self.results[1] then error(self.results[2], 0) end
  return table.unpack(self.results, 2, self.results.n)
end

---Starts `fn(...)`, which runs until its first wait.
---@return spec.Running
function M.start(fn, ...)
  local self = setmetatable({ done = false }, Running)
  self.thread = coroutine.create(function(...)
    self.results = table.pack(xpcall(fn, function(cause)
      return type(cause) == "string" and debug.traceback(cause, 2) or cause
    end, ...))
    self.done = true
  end)
  assert(coroutine.resume(self.thread, ...))
  return self
end

---Runs `fn(...)` to its end, and returns what it returns.
function M.run(fn, ...)
  return M.start(fn, ...):result()
end

return M
