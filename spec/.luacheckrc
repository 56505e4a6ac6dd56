-- luacheck --config spec/.luacheckrc lua routes examples bench spec
std = "lua54"
max_line_length = 120
self = false

-- Declarations for LuaLS, which never run.
files["lua/sprylua/types.lua"] = { ignore = { "212", "241", "331" }, max_line_length = false }

files["spec"] = { std = "lua54+busted" }
files["**/spec"] = { std = "lua54+busted" }

-- luacheck does not know that a <close> variable is used where its block ends.
ignore = { "211/timer" }
