local excerpt = require "sprylua.excerpt"
local temp_routes = require "spec.support.temp_routes"

teardown(temp_routes.clean)

describe("excerpt.of", function()
  local path

  before_each(function()
    path = temp_routes.project { ["x.lua"] = "one\ntwo\nthree\nfour" } .. "/x.lua"
  end)

  it("shows the line of a message, and those around it", function()
    local shown = "     1 | one\n>    2 | two\n     3 | three"
    assert.equal(shown, excerpt.of(path .. ":2: what is wrong"))
    assert.equal(shown, excerpt.of("routes/a.lua: it raised an error while it was loaded: " .. path .. ":2: what"))
    assert.equal(shown, excerpt.of(("error loading module 'x' from file '%s':\n\t%s:2: what"):format(path, path)))
  end)

  it("shows the first and the last line", function()
    assert.equal(">    1 | one\n     2 | two", excerpt.of(path .. ":1: x"))
    assert.equal("     3 | three\n>    4 | four", excerpt.of(path .. ":4: x"))
  end)

  it("is nothing for what names no line that there is", function()
    for _, message in ipairs {
      "", "what is wrong", path, path .. ": what is wrong", path .. ":5: x", path .. ":0: x", path .. ".lua:1: x",
      path .. ":99999999999999999999: x", "nowhere.lua:1: x", "...ere.lua:1: x", path:match "^(.*)/" .. ":1: x",
      temp_routes.project { ["folder.d/x"] = "" } .. "/folder.d:1: x",
    } do
      assert.is_nil(excerpt.of(message), message)
    end
  end)
end)
