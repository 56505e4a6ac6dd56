local message_compression = require "sprylua.message_compression"

describe("the option compress", function()
  it("may be a boolean, or a table of how", function()
    for _, value in ipairs {
      true, false, {}, { threshold = 0 }, { threshold = 1 << 40 }, { contextTakeover = false }, { windowBits = 9.0 },
      { threshold = 1, contextTakeover = true, windowBits = 15 },
    } do
      assert.is_nil(message_compression.wanted(value))
    end
  end)

  it("says what it should have been", function()
    for _, value in ipairs {
      0, 1, "true", print, { 1 }, { threshold = -1 }, { threshold = 1.5 }, { threshold = "1" }, { windowBits = 8 },
      { windowBits = 16 }, { windowBits = 9.5 }, { windowBits = "9" }, { contextTakeover = 1 }, { level = 1 },
    } do
      local wanted = type(value) == "table" and "^a table " or "^true, false, or a table "
      assert.matches(wanted, message_compression.wanted(value) or "nothing")
    end
  end)
end)
