local wellformed = require "sprylua.wellformed"

describe("wellformed.utf8", function()
  it("leaves alone what is", function()
    for _, text in ipairs { "", "abc", "grün €𝄞", "a\0b" } do
      assert.equal(text, wellformed.utf8(text))
    end
  end)

  it("replaces each byte that is not", function()
    assert.equal("a\u{FFFD}b", wellformed.utf8 "a\xffb")
    assert.equal("\u{FFFD}\u{FFFD}", wellformed.utf8 "\xc3\xc3")
    assert.equal("ü\u{FFFD}", wellformed.utf8 "ü\xc3")
    assert.equal(("\u{FFFD}"):rep(3), wellformed.utf8 "\xed\xa0\x80") -- a surrogate
    assert.equal("_b_", wellformed.utf8("\xffb\xfe", "_"))
  end)
end)
