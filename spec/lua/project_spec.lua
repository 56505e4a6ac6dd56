local project = require "sprylua.project"
local temp_routes = require "spec.support.temp_routes"

describe("project", function()
  local function mw() end

  it("collects the levels of a folder from outside to inside", function()
    local folder = temp_routes.project {
      ["middleware/10_a.lua"] = mw,
      ["routes/_middleware.lua"] = mw, ["routes/_middleware.get.lua"] = mw, ["routes/_error.lua"] = mw,
      ["routes/a/(g)/_middleware.lua"] = mw,
      ["routes/a/(g)/b/_error.post.lua"] = mw,
      ["routes/a/(g)/b/index.lua"] = mw,
    }
    local read = project.read(folder .. "/routes", {})
    assert.same({}, read.problems)
    local shape = {}
    for i, level in ipairs(read.levels_of "a/(g)/b") do
      local names = {}
      for _, step in ipairs(level.middleware) do
        names[#names + 1] = step.label:sub(#folder + 2)
      end
      for _, step in ipairs(level.errors) do
        names[#names + 1] = step.label:sub(#folder + 2)
      end
      shape[i] = table.concat(names, " ")
    end
    assert.same({
      "middleware/10_a.lua routes/_middleware.lua routes/_middleware.get.lua routes/_error.lua",
      "routes/a/(g)/_middleware.lua",
      "routes/a/(g)/b/_error.post.lua",
    }, shape)
  end)

  it("finds what lies beside routes/ by the name that routes/ was given", function()
    local folder = temp_routes.project { ["routes/index.lua"] = mw }
    assert.equal(folder .. "/hooks.lua", project.read(folder .. "/routes", {}).name "hooks.lua")
    assert.equal(folder .. "/hooks.lua", project.read(folder .. "/routes/", {}).name "hooks.lua")
  end)

  it("asks for secrets at the start when something will sign", function()
    local folder = temp_routes.project {
      ["routes/_middleware.lua"] = 'return require("sprylua.middleware").session()',
      ["routes/index.lua"] = mw,
    }
    local problems = project.read(folder .. "/routes", {}).problems
    assert.equal(1, #problems)
    assert.matches("^signed cookies need a secret", problems[1])
    assert.same({}, project.read(folder .. "/routes", { secrets = { ("x"):rep(32) } }).problems)
  end)

  it("sees makers of middleware that nobody has called", function()
    local folder = temp_routes.project {
      ["routes/_middleware.lua"] = 'return require("sprylua.middleware").cors',
      ["routes/a.lua"] = [[local spry, m = require "sprylua", require "sprylua.middleware"
        return spry.defineHandler { handler = print, middleware = { m.requestId } }]],
      ["routes/b/_middleware.lua"] = [[local m = require "sprylua.middleware"
        return m.every(m.timing)]],
    }
    local text = table.concat(project.read(folder .. "/routes", {}).problems, "\n")
    assert.matches("routes/_middleware.lua: cors makes a middleware when it is called: write cors%(%)", text)
    assert.matches("routes/a.lua: .*middleware%[1%]: requestId makes", text)
    assert.matches("routes/b/_middleware.lua: .*every: number 1: timing makes", text)
  end)

  it("uses the settings it is given, or those of the project", function()
    local folder = temp_routes.project { ["sprylua.config.lua"] = "return { port = 1 }" }
    assert.equal(1, project.read(folder .. "/routes").config.port)
    assert.same({ port = 2 }, project.read(folder .. "/routes", { port = 2 }).config)
  end)
end)
