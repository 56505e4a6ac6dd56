-- The house rules that a reader can't see at a glance: what each folder may include or require (docs/architecture.md),
-- and that src/ has no mutable variable outside of functions.

local uv = require "luv"

local function files(folder, pattern, found)
  found = found or {}
  for name, kind in uv.fs_scandir_next, (assert(uv.fs_scandir(folder))) do
    local path = folder .. "/" .. name
    if kind == "directory" then
      files(path, pattern, found)
    elseif name:find(pattern) then
      found[#found + 1] = path
    end
  end
  table.sort(found)
  return found
end

local function each_match(folder, file_pattern, line_pattern, visit)
  for _, path in ipairs(files(folder, file_pattern)) do
    for line in io.lines(path) do
      local match = line:match(line_pattern)
      if match then visit(path, match) end
    end
  end
end

-- What a folder of src/ may include, beside itself and the C library.
local ALLOWED = {
  base = {},
  proto = { "base/", "llhttp.h", "wslay/", "openssl/", "zlib.h" },
  core = { "proto/", "base/" },
  lua = { "core/", "proto/", "base/", "lua.h", "lauxlib.h", "yajl/" },
  net = { "core/", "base/", "uv.h" },
}

-- Single files that may include more, because that is what they are for.
local EXCEPTIONS = {
  ["src/lua/crypto.c"] = { "openssl/" }, -- binds it
  ["src/lua/compress.c"] = { "zlib.h", "brotli/" }, -- binds them
  ["src/lua/resp.c"] = { "hiredis/" }, -- binds it
  ["src/lua/tls.c"] = { "openssl/" }, -- binds it
  ["src/net/module.c"] = { "lua/", "lua.h", "lauxlib.h" }, -- binds the server to an app
  ["src/net/module.h"] = { "lua.h" },
  ["src/net/link.c"] = { "lua/framing.h", "lua/watchdog.h", "lua.h", "lauxlib.h" }, -- binds a link's socket
  ["src/net/link.h"] = { "lua.h" },
  ["src/net/luv.c"] = { "luv/luv.h", "lua/boundary.h", "lua/watchdog.h", "lua.h", "lauxlib.h" }, -- shares the loop
  ["src/net/luv.h"] = { "lua.h" },
}

-- Libraries that only the folders above name may see; all other <…> includes are the C library's.
local LIBRARIES = { "llhttp.h", "wslay/", "openssl/", "uv.h", "luv/", "lua.h", "lauxlib.h", "lualib.h", "yajl/",
  "zlib.h", "brotli/", "hiredis/" }

local function begins_with_one_of(text, list)
  for _, start in ipairs(list) do
    if text:sub(1, #start) == start then return true end
  end
  return false
end

local function may_include(path, folder, name, is_system)
  if is_system and not begins_with_one_of(name, LIBRARIES) then return true end
  return begins_with_one_of(name, { folder .. "/" }) or begins_with_one_of(name, ALLOWED[folder])
    or begins_with_one_of(name, EXCEPTIONS[path] or {})
end

describe("the layers of src/", function()
  for folder in pairs(ALLOWED) do
    it(("are kept by src/%s"):format(folder), function()
      local wrong, seen = {}, 0
      for open, is_system in pairs { ['"'] = false, ["<"] = true } do
        each_match("src/" .. folder, "%.[ch]$", "^%s*#%s*include%s+" .. open .. '([^">]+)[">]', function(path, name)
          seen = seen + 1
          if not may_include(path, folder, name, is_system) then wrong[#wrong + 1] = path .. " includes " .. name end
        end)
      end
      assert.is_true(seen > 0)
      assert.same({}, wrong)
    end)
  end

  it("have no function that takes a lua_State below src/lua", function()
    for _, folder in ipairs { "src/base", "src/proto", "src/core" } do
      each_match(folder, "%.[ch]$", "(lua_State)", function(path) error(path .. " mentions lua_State") end)
    end
  end)

  it("have no mutable variable at file scope", function()
    local wrong = {}
    each_match("src", "%.[ch]$", "^static%s+(.*)", function(path, declaration)
      local is_function = declaration:find "^[%w_ %*]+%([%w_]"
      if not is_function and not declaration:find "^const%s" and not declaration:find "^inline%s"
        and not declaration:find "%*const%s" then
        wrong[#wrong + 1] = path .. ": static " .. declaration
      end
    end)
    assert.same({}, wrong)
  end)
end)

describe("the layers of lua/", function()
  -- luv is for what waits on the world.
  local MAY_USE_LUV = { "lua/sprylua/cli/", "lua/sprylua/workers/", "lua/sprylua/client/socket.lua",
    "lua/sprylua/redis/tls.lua",
    "lua/sprylua/clock.lua", "lua/sprylua/file.lua", "lua/sprylua/snapshot.lua", "lua/sprylua/public.lua",
    "lua/sprylua/scan.lua", "lua/sprylua/project.lua", "lua/sprylua/temporary_file.lua", "lua/sprylua/testing",
    "lua/sprylua/watch.lua" }

  it("keep luv to the files that wait on the world", function()
    local wrong = {}
    each_match("lua", "%.lua$", "require%s*%(?%s*[\"']luv[\"']", function(path)
      if not begins_with_one_of(path, MAY_USE_LUV) then wrong[#wrong + 1] = path end
    end)
    assert.same({}, wrong)
  end)

  it("keep the core out of routes, examples and their specs", function()
    for _, folder in ipairs { "routes", "examples" } do
      each_match(folder, "%.lua$", "require%s*%(?%s*[\"'](sprylua%.core)[\"']", function(path)
        error(path .. " requires sprylua.core; routes take what sprylua offers")
      end)
    end
  end)

  it("set no global", function()
    local pipe = assert(io.popen "luacheck --quiet --no-color --config spec/.luacheckrc lua routes examples 2>&1")
    local output = pipe:read "a"
    assert.is_true(pipe:close() ~= nil, output)
  end)
end)
