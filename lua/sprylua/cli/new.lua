-- `sprylua new NAME`: a small project that serves, has a WebSocket route, and passes its own spec.

local uv = require "luv"

local M = {}

function M.summary()
  return "Make a new project in a folder of that name."
end

function M.configure(parser)
  parser:argument("name", "The folder to make, such as chat or sites/chat.")
end

-- ── the files ───────────────────────────────────────────────────────────────

local files = {
  { "routes/index.lua", [[
-- GET / (and every other method: the file's name has no .get)
return function(event)
  return "Hello from " .. event.pathname .. "\n"
end
]] },
  { "routes/chat.get.lua", [[
-- GET /chat: an echo over WebSocket, and a hint for everyone else.
local spry = require "sprylua"
local Response = spry.Response

return function(event)
  if not event.ws.isSupported or not event.ws.isUpgradeRequest then
    return Response.json { message = "This endpoint supports WebSocket connections" }
  end

  return event.ws:upgrade(function(ws) -- a coroutine: this session's own
    ws:sendText "Connected"
    for kind, data in ws.events do -- "text"|"binary", payload · "close", code, reason
      if kind == "text" then
        ws:sendText("Echo: " .. data)
      end
    end
  end)
end
]] },
  { "spec/chat_spec.lua", [[
local testing = require "sprylua.testing"

describe("chat", function()
  local app = testing.app "routes" -- in process: no socket, no port

  it("tells plain HTTP clients what it is", function()
    local res = app:get "/chat"
    assert.equal(200, res.status)
    assert.equal("This endpoint supports WebSocket connections", res:json().message)
  end)

  it("echoes", function()
    local ws = app:ws "/chat"
    assert.equal("Connected", ws:receive())
    ws:sendText "hi"
    assert.equal("Echo: hi", ws:receive())
    ws:close(1000)
  end)
end)
]] },
  { "README.md", [[
# %s

A sprylua project: the files under `routes/` are the routing table.

    sprylua dev       # http://127.0.0.1:4000/, takes over what you change
    sprylua routes    # the routing table
    sprylua test      # the specs under spec/
    sprylua serve     # as in production

`routes/index.lua` answers `/`, `routes/chat.get.lua` answers `GET /chat` and speaks WebSocket.
]] },
}

-- ── writing them ────────────────────────────────────────────────────────────

local function make_folders(path)
  local made = path:sub(1, 1) == "/" and "/" or ""
  for part in path:gmatch "[^/]+" do
    made = made .. part
    local ok, message, name = uv.fs_mkdir(made, 493) -- rwxr-xr-x
    if not ok and name ~= "EEXIST" then return nil, message end
    made = made .. "/"
  end
  return true
end

local function write(path, text)
  local file, message = uv.fs_open(path, "wx", 420) -- rw-r--r--; never over a file that is there
  if not file then return nil, message end
  local ok, problem = uv.fs_write(file, text)
  uv.fs_close(file)
  return ok, problem
end

local function is_taken(folder)
  local stat = uv.fs_stat(folder)
  if not stat then return false end
  local listing = stat.type == "directory" and uv.fs_scandir(folder)
  return not listing or uv.fs_scandir_next(listing) ~= nil
end

local function fail(text, code)
  io.stderr:write("sprylua: ", text, "\n")
  return code
end

function M.run(args)
  local folder = args.name:gsub("(.)/+$", "%1")
  if not folder:find "[%a\x80-\xff][^/]*$" then
    return fail(("%q is no name for a project: it has a letter in it, such as chat"):format(args.name), 64)
  end
  if is_taken(folder) then return fail(folder .. " is there already: choose another name", 64) end
  for _, entry in ipairs(files) do
    local path = folder .. "/" .. entry[1]
    local text = entry[1] == "README.md" and entry[2]:format(folder:match "[^/]+$" or folder) or entry[2]
    local ok, message = make_folders(path:match "^(.*)/")
    if ok then ok, message = write(path, text) end
    if not ok then return fail(("cannot make %s: %s"):format(path, message), 1) end
    print(path)
  end
  print(("\nNext: cd %s && sprylua dev"):format(folder))
  return 0
end

return M
