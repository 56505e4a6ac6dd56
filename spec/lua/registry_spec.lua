local registry = require "sprylua.registry"
local temp_routes = require "spec.support.temp_routes"

describe("registry", function()
  it("keeps one record for a function", function()
    local function entry() end
    assert.is_true(registry.add(entry, {}))
    assert.is_false(registry.add(entry, {}))
  end)

  it("finds the record of a request's entry, a miss's too", function()
    local labels = {}
    local function note(event, next)
      labels[#labels + 1] = registry.of(event).source.label:match "[^/]+$"
      return next and next() or "x"
    end
    local app <close> = temp_routes.app { ["a.lua"] = note, ["b/_middleware.lua"] = note, ["b/c.lua"] = note }
    app:get "/a"
    app:get "/b/none"
    assert.same({ "a.lua", "_middleware.lua" }, labels)
  end)

  it("keeps nothing alive", function()
    local weak = setmetatable({}, { __mode = "v" })
    do
      local upvalue = {}
      local function entry() return upvalue end
      weak[1], weak[2] = entry, upvalue
      registry.add(entry, { app = { entry } }) -- the record may point back at its function
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_nil(weak[2])
  end)
end)
