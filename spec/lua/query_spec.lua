local query = require "sprylua.query"

describe("query", function()
  it("has the first value, every value, or none", function()
    local q = query.parse "a=1&b=2&a=3&c&d="
    assert.equal("1", q:get "a")
    assert.same({ "1", "3" }, q:getAll "a")
    assert.equal("", q:get "c")
    assert.equal("", q:get "d")
    assert.is_nil(q:get "e")
    assert.is_true(q:has "c")
    assert.is_false(q:has "e")
    assert.same({}, q:getAll "e")
  end)

  it("is decoded once", function()
    local q = query.parse "na%6De=a+b%20c&x=%2525&%3D=%26&utf=%C3%A9&y=a=b"
    assert.equal("a b c", q:get "name")
    assert.equal("%25", q:get "x")
    assert.equal("&", q:get "=")
    assert.equal("é", q:get "utf")
    assert.equal("a=b", q:get "y")
  end)

  it("keeps a broken escape as it was written", function()
    local q = query.parse "off=100%&x=%zz+%41&%=y"
    assert.equal("100%", q:get "off")
    assert.equal("%zz A", q:get "x")
    assert.equal("y", q:get "%")
  end)

  it("has text in it, whatever bytes were sent", function()
    local fields = query.parse "%ff=a%c3&b=%c3%bc"
    assert.equal("a\u{FFFD}", fields:get "\u{FFFD}")
    assert.equal("ü", fields:get "b")
  end)

  it("goes round in order", function()
    local seen = {}
    for name, value in pairs(query.parse "b=1&a=2&b=3&&") do
      seen[#seen + 1] = name .. value
    end
    assert.same({ "b1", "a2", "b3" }, seen)
  end)

  it("is empty for nothing", function()
    assert.is_nil(query.parse(nil):get "a")
    assert.is_nil(next(query.parse ""))
  end)

  it("tells who indexes it what to write", function()
    assert.error_matches(function() return query.parse("page=1").page end, 'write :get%("page"%)')
  end)
end)
