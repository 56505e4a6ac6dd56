local cause = require "sprylua.cause"

describe("cause", function()
  it("is its own text, or that of its __tostring", function()
    assert.equal("broken", cause.describe "broken")
    assert.equal("7", cause.describe(7))
    local mine = setmetatable({ message = "not this" }, { __tostring = function() return "mine" end })
    assert.equal("mine", cause.describe(mine))
    assert.matches("^Thing: ", cause.describe(setmetatable({}, { __name = "Thing" })))
  end)

  it("is a table's message", function()
    assert.equal("no such user", cause.describe { message = "no such user", code = 1 })
    assert.equal("no such user", cause.describe(setmetatable({ message = "no such user" }, {})))
  end)

  it("is a table's fields, when it has no message", function()
    assert.equal("a table without __tostring or message was raised: code = 1, list = a table, ok = false, why = gone",
      cause.describe { code = 1, why = "gone", ok = false, list = {} })
    assert.matches("raised: message = a function$", cause.describe { message = print })
    assert.matches("raised: it is empty$", cause.describe {})
    assert.is_true(#cause.describe { ("x"):rep(1e6) } < 200)
  end)

  it("survives what cannot be looked at", function()
    local function refuse() error "do not touch" end
    assert.matches("error%(nil%)", cause.describe(nil))
    assert.equal("an error that is a table", cause.describe(setmetatable({}, { __tostring = refuse })))
    local shy = setmetatable({}, { __index = refuse, __pairs = refuse, __len = refuse })
    assert.matches("it is empty$", cause.describe(shy))
    assert.equal("string", type(cause.describe(setmetatable({}, { __metatable = false }))))
    assert.matches("= 1$", cause.describe { [setmetatable({}, { __tostring = function() return "key" end })] = 1 })
    assert.equal("an error that is a table", cause.describe { [setmetatable({}, { __tostring = refuse })] = 1 })
  end)
end)
