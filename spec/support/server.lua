-- A served folder in a process of its own, and a plain TCP client to talk to it. Only spec/socket uses this.
-- Everything has a deadline: a spec that waits for what never comes fails, it does not hang.

local frames = require "sprylua.testing.frames"
local http = require "sprylua.testing.http"
local program = require "spec.support.program"
local testing = require "sprylua.testing"
local uv = require "luv"

local M = {}

local DEADLINE = 10 -- seconds, for whatever a spec waits for

---Runs the loop until `done()` returns something other than nil and false. Raises after `seconds`.
---@generic T
---@param done fun(): T?
---@param what string for the error
---@param seconds number?
---@return T
function M.wait(done, what, seconds)
  local limit = uv.hrtime() + (seconds or DEADLINE) * 1e9
  while true do
    local result = done()
    if result then return result end
    if uv.hrtime() > limit then error(("no %s within %g s"):format(what, seconds or DEADLINE), 0) end
    M.turn()
  end
end

-- One turn of luv's loop, 10 ms at most. Inside `sprylua test` the loop is the program's own and may run already: then
-- the spec's coroutine waits for a timer. One timer serves all turns: with a handle to close, the loop would not wait.
local timer

function M.turn()
  timer = timer or uv.new_timer()
  local fired = false
  local thread, main = coroutine.running()
  uv.update_time() -- else it could fire before the loop waits, and nothing would end that wait
  timer:start(10, 0, function()
    fired = true
    if not main and coroutine.status(thread) == "suspended" then assert(coroutine.resume(thread)) end
  end)
  if main or not coroutine.isyieldable() then
    uv.run "once"
  else
    local ran = pcall(uv.run, "once")
    if not ran then repeat coroutine.yield() until fired end
  end
  timer:stop()
end

---Sleeps in real time.
---@param seconds number
function M.sleep(seconds)
  local limit = uv.hrtime() + seconds * 1e9
  while uv.hrtime() < limit do M.turn() end
end

---Serves a folder on a free port; see spec.support.program for what it returns. `server:cleanup()` ends it.
---@param routes string
---@param opts { env: table?, folder: string?, arguments: string[]? }?
---@return spec.Program
function M.serve(routes, opts)
  opts = opts or {}
  local arguments = { "serve", routes, "-p", "0" }
  table.move(opts.arguments or {}, 1, #(opts.arguments or {}), #arguments + 1, arguments)
  return program.start(arguments, opts)
end

---Ends a server as an operator does, and expects that it ends well: with 0, and without a word from a sanitizer (whose
---leak report would change the exit code as well).
---@param running spec.Program
function M.stop(running)
  running:signal "TERM"
  local code = running:ended()
  local said = running:err()
  if code ~= 0 or said:find "Sanitizer" or said:find "runtime error:" then
    error(("the server ended with %d and said:\n%s"):format(code, said), 0)
  end
end

-- ── a TCP client ────────────────────────────────────────────────────────────

---@class spec.Client
---@field received string what came and was not taken
---@field ended boolean the server has closed its side
---@field failed string? how the connection broke
local Client = {}
Client.__index = Client

---@param port integer
---@param host string?
---@return spec.Client
function M.connect(port, host)
  local self = setmetatable({ received = "", ended = false, tcp = uv.new_tcp(), connected = false }, Client)
  self.tcp:connect(host or "127.0.0.1", port, function(problem)
    if problem then
      self.failed = problem
      return
    end
    self.connected = true
    self:read()
  end)
  M.wait(function() return self.connected or self.failed end, "connection")
  return self
end

---Starts reading (again).
function Client:read()
  self.tcp:read_start(function(problem, bytes)
    if problem then
      self.failed, self.ended = problem, true
    elseif bytes then
      self.received = self.received .. bytes
    else
      self.ended = true
    end
  end)
end

---Stops reading, so that the server meets a slow peer.
function Client:pause()
  self.tcp:read_stop()
end

---@param bytes string
function Client:send(bytes)
  self.tcp:write(bytes, function(problem) self.failed = self.failed or problem end)
end

---Ends the client's side, as shutdown(2) does.
function Client:finish()
  self.tcp:shutdown()
end

---Waits until what has come contains `pattern` (plain: a string), and returns everything up to its end; it is taken.
---@param pattern string
---@param plain boolean?
---@param seconds number?
---@return string
function Client:readUntil(pattern, plain, seconds)
  local last = M.wait(function()
    local _, stop = self.received:find(pattern, 1, plain)
    if not stop and self.ended then
      error(("the server closed before %q came; there is %q"):format(pattern, self.received:sub(1, 500)), 0)
    end
    return stop
  end, ("%q from the server"):format(pattern), seconds)
  local bytes = self.received:sub(1, last)
  self.received = self.received:sub(last + 1)
  return bytes
end

---Waits until the server closes, and returns all that came.
---@param seconds number?
---@return string
function Client:readAll(seconds)
  M.wait(function() return self.ended end, "end of the connection", seconds)
  return self.received
end

---The next complete HTTP answer.
---@param method string?
---@param seconds number?
---@return sprylua.testing.Response
function Client:answer(method, seconds)
  self.parser = self.parser or http.parser()
  return M.wait(function()
    self.parser:feed(self.received)
    self.received = ""
    return self.parser:answer(method or "GET", self.ended)
  end, "answer from the server", seconds)
end

---The next WebSocket frame.
---@param seconds number?
---@return sprylua.testing.Frame
function Client:frame(seconds)
  if self.parser then
    self.received, self.parser.bytes = self.parser.bytes .. self.received, ""
  end
  return M.wait(function()
    local frame, next = frames.decode(self.received)
    if not frame then return nil end
    self.received = self.received:sub(next)
    return frame
  end, "frame from the server", seconds)
end

---Sends one masked frame; see sprylua.testing.frames.encode.
function Client:sendFrame(frame)
  self:send(frames.encode(frame))
end

---Closes with a FIN, or with a reset.
---@param reset boolean?
function Client:close(reset)
  if self.tcp:is_closing() then return end
  local closed = false
  local function done() closed = true end
  if reset then self.tcp:close_reset(done) else self.tcp:close(done) end
  M.wait(function() return closed end, "end of the client's socket")
end

Client.__close = Client.close

-- ── what most specs do with it ──────────────────────────────────────────────

---A session that is open.
---@param running spec.Program
---@param path string
---@return spec.Client
function M.session(running, path)
  local client = M.connect(running.port)
  client:send(testing.handshake(path))
  local status = client:answer().status
  if status ~= 101 then error(("the server answered the handshake with %d"):format(status), 2) end
  return client
end

local function request(running, method, path, opts, seconds)
  local client <close> = M.connect(running.port)
  client:send(http.request(method, path, opts))
  return client:answer(method, seconds)
end

---The answer to a GET in a connection of its own.
---@param running spec.Program
---@param path string
---@return sprylua.testing.Response
function M.get(running, path) return request(running, "GET", path) end

---The answer to a POST in a connection of its own.
---@param running spec.Program
---@param path string
---@param body string
---@param seconds number?
---@return sprylua.testing.Response
function M.post(running, path, body, seconds) return request(running, "POST", path, { body = body }, seconds) end

return M
