local project_modules = require "sprylua.project_modules"
local temp_routes = require "spec.support.temp_routes"

describe("the modules of a project", function()
  local searchers, path, folder, modules, others

  before_each(function()
    searchers, path = table.move(package.searchers, 1, #package.searchers, 1, {}), package.path
    folder = temp_routes.project { ["own/x.lua"] = "return { 'x' }", ["own/init.lua"] = "return { 'own' }" }
    others = temp_routes.project { ["foreign.lua"] = "return { 'foreign' }" }
    package.path = ("%s/?.lua;%s/?/init.lua;%s/?.lua;%s"):format(folder, folder, others, path)
    modules = project_modules.of(folder)
  end)

  after_each(function()
    for i = #package.searchers, 1, -1 do
      package.searchers[i] = searchers[i]
    end
    package.path = path
    for _, name in ipairs { "own", "own.x", "foreign" } do
      package.loaded[name] = nil
    end
  end)

  teardown(temp_routes.clean)

  local function all()
    return { require "own", require "own.x", (require "foreign") }
  end

  it("are loaded afresh, and no others", function()
    local before, after = all(), nil
    local result = modules:afresh(function()
      after = all()
      return "result"
    end)
    assert.equal("result", result)
    assert.not_equal(before[1], after[1])
    assert.not_equal(before[2], after[2])
    assert.equal(before[3], after[3])
    assert.equal(after[1], require "own")
  end)

  it("stay as they were when nothing comes of it", function()
    local before = all()
    local result, why = modules:afresh(function()
      all()
      return nil, "why"
    end)
    assert.is_nil(result)
    assert.equal("why", why)
    assert.same(before, all())
    assert.equal(before[2], require "own.x")
  end)

  it("are as they were when that is undone", function()
    local before = all()
    local _, undo = modules:afresh(all)
    assert.not_equal(before[1], require "own")
    undo()
    for i, name in ipairs { "own", "own.x", "foreign" } do
      assert.equal(before[i], (require(name)))
    end
  end)

  it("are forgotten when they are gone", function()
    all()
    os.remove(folder .. "/own/x.lua")
    local found
    modules:afresh(function()
      found = pcall(require, "own.x")
      return true
    end)
    assert.is_false(found)
  end)

  it("are in folders, also in such that are not there yet", function()
    all()
    pcall(require, "not.there.yet")
    local folders = modules:folders()
    for _, name in ipairs { "own", "not", "not/there" } do
      assert.is_true(folders[folder .. "/" .. name])
    end
    assert.is_nil(folders[folder])
  end)
end)
