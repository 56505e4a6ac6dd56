local identity = require "sprylua.identity"

describe("an identity", function()
  it("has 16 hexadecimal digits, and is nobody else's", function()
    local seen = {}
    for _ = 1, 1000 do
      local name = identity.new()
      assert.matches("^%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x$", name)
      assert.is_nil(seen[name])
      seen[name] = true
    end
  end)
end)
