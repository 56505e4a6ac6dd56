local html = require "sprylua.html"

describe("html", function()
  it("escapes what has a meaning in text or in an attribute", function()
    assert.equal("&lt;a href=&quot;x&#39;y&quot;&gt;&amp;amp;&lt;/a&gt;", html.escape [[<a href="x'y">&amp;</a>]])
  end)

  it("leaves everything else as it is, bytes too", function()
    for _, text in ipairs { "", "plain", "\0\1\255", "é😀", "%1 %% \\n" } do
      assert.equal(text, html.escape(text))
    end
    assert.equal("\0&lt;\xFF&amp;\0", html.escape "\0<\xFF&\0")
  end)

  it("marks what is HTML already", function()
    local bold = html.raw "<b>"
    assert.is_true(html.is(bold))
    assert.equal("<b>", tostring(bold))
    assert.equal(bold, html.raw(bold))
    assert.equal("7", tostring(html.raw(7)))
    assert.is_false(html.is "<b>")
    assert.is_false(html.is(nil))
    assert.is_false(html.is {})
  end)

  it("escapes plain strings that are joined to HTML", function()
    local joined = "<" .. html.raw "<b>" .. ">" .. 1 .. html.raw "</b>"
    assert.is_true(html.is(joined))
    assert.equal("&lt;<b>&gt;1</b>", tostring(joined))
  end)

  it("is not joined to what is no text", function()
    local bold = html.raw "<b>"
    for _, case in ipairs { { nil, "nil" }, { false, "boolean" }, { {}, "table" } } do
      local message = "HTML can be joined to a string, not to a " .. case[2]
      assert.error_matches(function() return bold .. case[1] end, message)
      assert.error_matches(function() return case[1] .. bold end, message)
    end
  end)

  it("refuses to mark what is no text", function()
    for _, value in pairs { {}, true, print } do
      assert.error_matches(function() html.raw(value) end, "raw takes a string, not a " .. type(value))
    end
    assert.error_matches(function() html.raw() end, "raw takes a string, not a nil")
  end)
end)
