-- The servers: how each is started, and what it needs to be here.

local uv = require "luv"
local process = require "bench.runner.process"

---@class bench.Place what a server is given
---@field root string the project
---@field build string the build folder
---@field program string the sprylua to measure
---@field scratch string a folder for what is made while measuring
---@field app string the copy of bench/app in it
---@field sections integer how many routes there are beside those of bench/app
---@field port integer
---@field workers integer? how many processes serve; nil: one, on its own

---@class bench.Server
---@field name string
---@field missing fun(place: bench.Place): string? what has to be installed, when that is so
---@field command fun(place: bench.Place): string[], table? its words, and its environment

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

local function exists(path)
  return uv.fs_stat(path) ~= nil
end

-- ── sprylua, and the ceiling ────────────────────────────────────────────────

local sprylua = {
  name = "sprylua",
  missing = function(place) return not exists(place.program) and place.program or nil end,
  command = function(place)
    local folder = place.app
    if place.sections > 0 then folder = ("%s/sections-%d"):format(place.scratch, place.sections) end
    return { place.program, "serve", folder .. "/routes", "-c", folder .. "/sprylua.config.lua",
      "-p", tostring(place.port), "--log", "none", "-w", tostring(place.workers or 1) }
  end,
}

local ceiling = {
  name = "ceiling",
  missing = function() end,
  command = function(place) return { place.build .. "/bench/ceiling", tostring(place.port) } end,
}

-- ── nginx with Lua ──────────────────────────────────────────────────────────

local NGINX_NEEDS = {
  ["nginx-light"] = "/usr/sbin/nginx",
  ["libnginx-mod-http-lua"] = "/usr/lib/nginx/modules/ngx_http_lua_module.so",
  ["lua-nginx-websocket"] = "/usr/share/lua/5.1/nginx/websocket/server.lua",
  ["lua-cjson"] = "/usr/share/lua/5.1/cjson",
}

local SECTION = [[
location /section%d/ { content_by_lua_block { send(ngx.var.uri:match "[^/]+$") } }
]]

local nginx = {
  name = "nginx-lua",
  missing = function()
    local list = {}
    for package, path in pairs(NGINX_NEEDS) do
      if not exists(path) then list[#list + 1] = package end
    end
    table.sort(list)
    return list[1] and table.concat(list, ", ")
  end,
  command = function(place)
    local folder = place.scratch .. "/nginx"
    uv.fs_mkdir(folder, tonumber("755", 8))
    local sections = {}
    for i = 1, place.sections do sections[i] = SECTION:format(i) end
    write(folder .. "/sections.conf", table.concat(sections))
    local words = { port = place.port, public = place.app .. "/public" }
    write(folder .. "/nginx.conf", (read(place.root .. "/bench/peers/nginx.conf"):gsub("%${(%l+)}", words)))
    return { "/usr/sbin/nginx", "-p", folder, "-c", folder .. "/nginx.conf", "-e", "stderr" }
  end,
}

-- ── Node ────────────────────────────────────────────────────────────────────

local node = {
  name = "node",
  missing = function(place)
    if not process.exists "node" then return "nodejs" end
    local modules = place.root .. "/spec/node/node_modules/ws"
    return not exists(modules) and "the packages of spec/node (npm ci --prefix spec/node)" or nil
  end,
  command = function(place)
    return { "node", place.root .. "/bench/peers/node.js", tostring(place.port), place.app .. "/public",
      tostring(place.sections) }, { NODE_PATH = place.root .. "/spec/node/node_modules" }
  end,
}

---@type bench.Server[]
local list = { sprylua, ceiling, nginx, node }

local M = { list = list, by_name = {} }
for _, server in ipairs(list) do M.by_name[server.name] = server end
return M
