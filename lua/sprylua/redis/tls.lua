-- The module sprylua.tls, in C: a file beside the program, and not part of it, for it brings OpenSSL along. It is where
-- the program was built or installed, or where Lua looks for modules.

local uv = require "luv"

local NAME = "sprylua.tls"

local beside = "/../?.so;FOLDER/../lib/lua/5.4/?.so;"
local folder = (uv.exepath() or "."):match "^(.*)/" or "."
local path = package.searchpath(NAME, folder .. beside:gsub("FOLDER", (folder:gsub("%%", "%%%%"))) .. package.cpath)
local open, problem = package.loadlib(path or NAME, "luaopen_sprylua_tls")

if not open then
  error(("TLS takes a file of sprylua that is missing here or does not load (%s)"):format(problem), 0)
end

return open(NAME) --[[@as table]]
