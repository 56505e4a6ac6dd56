-- `sprylua check`: loads everything a server would load, says what is wrong with it, and starts nothing.

local project = require "sprylua.cli.project"

local M = {}

function M.summary()
  return "Load everything, report every problem, start nothing."
end

M.configure = project.configure

function M.run(args)
  local opened, code = project.open(args)
  if not opened then return code end
  for _, warning in ipairs(opened.loaded.warnings or {}) do
    io.stderr:write("sprylua: warning: ", tostring(warning), "\n")
  end
  local count = #opened.loaded.routes
  print(("ok: %d route%s in %s"):format(count, count == 1 and "" or "s", opened.routes))
  return 0
end

return M
