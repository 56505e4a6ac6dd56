-- `sprylua routes`: the routing table that the files make, most specific first.

local project = require "sprylua.cli.project"

local M = {}

function M.summary()
  return "Print the routing table."
end

function M.configure(parser)
  project.configure(parser)
  parser:flag("--json", "As a JSON list of { method, path, file }; no method: every method.")
end

function M.run(args)
  local opened, code = project.open(args)
  if not opened then return code end
  local routes = opened.loaded.routes
  if args.json then
    local list = {}
    for i, route in ipairs(routes) do
      list[i] = { method = route.method, path = route.path, file = route.file }
    end
    local json = require "sprylua.json"
    print(json.encode(json.array(list)))
  elseif #routes > 0 then
    print(table.concat(project.table_lines(routes), "\n"))
  end
  return 0
end

return M
