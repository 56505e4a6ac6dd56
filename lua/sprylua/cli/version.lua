-- `sprylua version`: what is installed, and on what it stands.

local M = {}

M.number = "0.1.0"

function M.summary()
  return "Print the version."
end

function M.configure() end

function M.run()
  print(("sprylua %s (%s, libuv %s)"):format(M.number, _VERSION, require("luv").version_string()))
  return 0
end

return M
