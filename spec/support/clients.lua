-- Clients that this project did not write, each a process of its own: curl, and the scripts of spec/node (Node's http,
-- the package ws, Chromium) and of spec/python (the package websockets). A client that is not installed fails its spec:
-- what it would have shown is not known then.

local server = require "spec.support.server"
local uv = require "luv"

local M = {}

local PATIENCE = 90 -- seconds for a whole client script, on a slow machine with sanitizers

local packages = {
  curl = "curl", node = "nodejs", ["/usr/bin/python3"] = "python3", ["/usr/bin/chromium"] = "chromium",
}

local function missing(what, package)
  local by_hand = package and (", or apt-get install " .. package) or ""
  local fix = "run ./sprylua test, which installs what the specs need"
  error(("%s is not installed, and this spec needs it: %s%s"):format(what, fix, by_hand), 0)
end

---@class spec.Child a process
---@field out string what it has written to stdout so far
---@field err string the same of stderr
---@field code integer? its exit code, when it has ended and both are complete
local Child = {}
Child.__index = Child

local function collect(child, name)
  local pipe = uv.new_pipe(false)
  child[name] = ""
  child.open = child.open + 1
  return pipe, function()
    pipe:read_start(function(problem, bytes)
      if bytes and not problem then
        child[name] = child[name] .. bytes
        return
      end
      child.open = child.open - 1
      pipe:close()
    end)
  end
end

---Starts a program, found on the PATH.
---@param words string[]
---@return spec.Child
function M.spawn(words)
  local child = setmetatable({ name = words[1], open = 0 }, Child)
  local out, read_out = collect(child, "out")
  local err, read_err = collect(child, "err")
  local handle, pid
  handle, pid = uv.spawn(words[1], {
    args = table.move(words, 2, #words, 1, {}), stdio = { nil, out, err },
  }, function(code, signal)
    child.status = signal == 0 and code or 128 + signal
    handle:close()
  end)
  if not handle then
    out:close()
    err:close()
    missing(words[1], packages[words[1]])
  end
  child.pid = pid
  read_out()
  read_err()
  return child
end

---Waits for its end.
---@param seconds number?
---@return integer code
function Child:ended(seconds)
  local ok, problem = pcall(server.wait, function() return self.status and self.open == 0 end,
    "end of " .. self.name, seconds or PATIENCE)
  if not ok then
    self:kill()
    error(("%s\nstdout: %s\nstderr: %s"):format(problem, self.out, self.err), 0)
  end
  self.code = self.status
  return self.code
end

---Waits until its output has `pattern`, and returns what that captures.
---@param pattern string
---@return string
function Child:saw(pattern)
  local ok, found = pcall(server.wait, function()
    return self.out:match(pattern) or self.status and self.open == 0 and {}
  end, ("%q from %s"):format(pattern, self.name), PATIENCE)
  if ok and type(found) == "string" then return found end
  self:kill()
  error(("waited in vain for %q from %s\nstdout: %s\nstderr: %s"):format(pattern, self.name, self.out, self.err), 0)
end

---Ends it, if it still runs.
function Child:kill()
  if not self.status then uv.kill(self.pid, "sigkill") end
  server.wait(function() return self.status and self.open == 0 end, "end of a killed process")
end

Child.__close = Child.kill

---Runs a program to its end.
---@param words string[]
---@param seconds number?
---@return spec.Child
function M.run(words, seconds)
  local child = M.spawn(words)
  child:ended(seconds)
  return child
end

-- ── curl ────────────────────────────────────────────────────────────────────

local function curl_words(...)
  return { "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", ... }
end

---Runs curl with these arguments besides the usual ones.
---@return spec.Child
function M.curl(...)
  return M.run(curl_words(...))
end

---Starts it, for what it has to say before its end.
---@return spec.Child
function M.start_curl(...)
  return M.spawn(curl_words("--no-buffer", ...))
end

-- ── scripts that play a scenario ────────────────────────────────────────────

local function need(path, what, package)
  if not uv.fs_stat(path) then missing(what, package) end
end

local function play(child)
  if child:ended() ~= 0 then
    error(("%s ended with %d:\n%s%s"):format(child.name, child.code, child.out, child.err), 0)
  end
  return child.out
end

---Starts `spec/node/SCRIPT`, which needs the npm package `module`.
---@param script string
---@param module string?
---@return spec.Child
function M.start_node(script, module, ...)
  if module then need("spec/node/node_modules/" .. module .. "/package.json", "the npm package " .. module) end
  return M.spawn { "node", "spec/node/" .. script, ... }
end

---Plays it to its end, which must be a success. Returns what it printed.
---@return string
function M.node(script, module, ...)
  return play(M.start_node(script, module, ...))
end

---Debian's Python, since the package websockets is Debian's.
---@return string
function M.python(script, ...)
  need("/usr/bin/python3", "/usr/bin/python3", "python3")
  local found = M.run { "/usr/bin/python3", "-c", "import websockets" }
  if found.code ~= 0 then missing("the Python package websockets", "python3-websockets") end
  return play(M.spawn { "/usr/bin/python3", "spec/python/" .. script, ... })
end

---Starts Chromium under spec/node/browser.js.
---@return spec.Child
function M.start_browser(...)
  need("/usr/bin/chromium", "Chromium", "chromium")
  return M.start_node("browser.js", "playwright-core", ...)
end

---@return string
function M.browser(...)
  return play(M.start_browser(...))
end

return M
