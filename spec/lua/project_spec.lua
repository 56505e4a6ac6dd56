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

  it("uses the settings it is given, or those of the project", function()
    local folder = temp_routes.project { ["sprylua.config.lua"] = "return { port = 1 }" }
    assert.equal(1, project.read(folder .. "/routes").config.port)
    assert.same({ port = 2 }, project.read(folder .. "/routes", { port = 2 }).config)
  end)
end)
