local middleware = require "sprylua.middleware"
local spry = require "sprylua"

describe("sprylua.middleware", function()
  it("has a maker a name, the same each time", function()
    for _, name in ipairs {
      "basicAuth", "bearer", "cors", "csrf", "every", "except", "logger", "rateLimit", "requestId", "secureHeaders",
      "some", "timing",
    } do
      assert.is_function(middleware[name], name)
      assert.equal(middleware[name], middleware[name])
      assert.equal(require("sprylua.middleware." .. name), middleware[name])
    end
  end)

  it("is spry.middleware", function()
    assert.is_function(spry.middleware.cors)
    assert.error_matches(function() return spry.middleware.corse end, "there is no middleware corse")
  end)

  it("names the one that was meant", function()
    assert.error_matches(function() return middleware.requestID2 end,
      "^there is no middleware requestID2 %(did you mean requestId%?%)$")
    assert.error_matches(function() return middleware.secret end, "there is no middleware secret")
    assert.error_matches(function() return middleware[1] end, "there is no middleware 1$")
  end)

  it("refuses options that are not there, at the line that gave them", function()
    for _, name in ipairs { "cors", "csrf", "logger", "rateLimit", "requestId", "secureHeaders", "timing" } do
      local ok, message = pcall(function()
        local made = middleware[name] { bogus = 1 }
        return made
      end)
      assert.is_false(ok)
      assert.matches("init_spec.lua:%d+: " .. name .. " .*bogus", message)
    end
  end)
end)
