-- luacheck --config spec/.luacheckrc lua routes examples spec
std = "lua54"
max_line_length = 120
self = false

files["spec"] = { std = "lua54+busted" }
files["**/spec"] = { std = "lua54+busted" }

-- luacheck does not know that a <close> variable is used where its block ends.
ignore = { "211/timer" }
