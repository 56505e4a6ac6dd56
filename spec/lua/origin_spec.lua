local options = require "sprylua.options"
local origin = require "sprylua.origin"

describe("origin", function()
  it("is of the same host, whatever the letters and the scheme's own port", function()
    for _, pair in ipairs {
      { "http://example.org", "example.org" }, { "HTTP://Example.ORG", "example.org:80" },
      { "https://example.org", "example.org:443" }, { "https://example.org:8443", "EXAMPLE.org:8443" },
      { "http://[::1]:4000", "[::1]:4000" },
    } do
      assert.is_true(origin.sameHost(pair[1], pair[2]), pair[1])
    end
  end)

  it("is foreign otherwise", function()
    for _, pair in ipairs {
      { "http://example.org.evil.com", "example.org" }, { "http://evil.com", "example.org" }, { "null", "null" },
      { "", "" }, { "http://", "" }, { "example.org", "example.org" }, { "http://example.org:81", "example.org" },
      { "http://example.org/", "example.org" }, { "http://example.org, http://evil.com", "example.org" },
      { "https://example.org", "example.org:80" }, { "file://example.org", "example.org" }, { "app://x", "x" },
    } do
      assert.is_false(origin.sameHost(pair[1], pair[2]), pair[1])
    end
  end)

  it("is let in by a list, in any letter case", function()
    local allowed = origin.matcher { "https://Example.org", "http://localhost:3000" }
    assert.is_true(allowed "https://example.ORG")
    assert.is_true(allowed "http://localhost:3000")
    for _, other in ipairs { "http://example.org", "https://example.org:444", "https://a.example.org", "null", "" } do
      assert.is_false(allowed(other), other)
    end
    assert.is_false(origin.matcher()("https://example.org"))
  end)

  it("is let in by a function that says true, and nothing else", function()
    local answer
    local allowed = origin.matcher(function() return answer end)
    for value, expected in pairs { [true] = true, [false] = false } do
      answer = value
      assert.equal(expected, allowed "https://example.org")
    end
    answer = nil
    assert.is_false(allowed "https://example.org")
    answer = "https://example.org"
    assert.error_matches(function() allowed "https://evil.com" end, "returned a string; it returns true or false")
  end)

  it("is checked where it is listed", function()
    local rules = { origins = origin.rule() }
    for _, wrong in ipairs {
      "*", "https://example.org", { "*" }, { "null" }, { "example.org" }, { "https://example.org/" },
      { "https://*.example.org" }, { "" }, { 1 }, { a = "https://example.org" }, 1, true,
    } do
      assert.error_matches(function() options.read("x", { origins = wrong }, rules) end,
        "origins must be a list of origins without a path", nil, nil)
    end
    assert.is_table(options.read("x", { origins = { "https://a.org:8443", "app://x" } }, rules))
  end)
end)
