-- What Lua would do with patterns: tokens, field values, whole numbers and pairs of a query.

local core = require "sprylua.core"

describe("core.token", function()
  it("is a token in lower case, and nothing else", function()
    for text, expected in pairs {
      ["x-a"] = "x-a", ["Content-Type"] = "content-type", ["!#$%&'*+-.^_`|~09aZ"] = "!#$%&'*+-.^_`|~09az",
    } do
      assert.equal(expected, core.token(text))
    end
    for byte = 0, 255 do
      local char = string.char(byte)
      local expected = char:find "^[%w!#$%%&'*+%-.^_`|~]$" and byte < 128 and ("a" .. char .. "B"):lower() or nil
      assert.equal(expected, (core.token("a" .. char .. "B")))
    end
    for _, value in ipairs { "", 1, true, {}, print } do assert.is_nil((core.token(value))) end
    assert.is_nil((core.token(nil)))
  end)
end)

describe("core.isFieldValue", function()
  it("is false for what would split a response", function()
    for text, expected in pairs {
      [""] = true, ["a b"] = true, ["\t\xff"] = true, ["a\r"] = false, ["\nb"] = false, ["a\0b"] = false,
    } do
      assert.equal(expected, core.isFieldValue(text))
    end
  end)
end)

describe("core.integer", function()
  it("reads digits of 64 bits", function()
    for text, expected in pairs {
      ["0"] = 0, ["-0"] = 0, ["007"] = 7, ["42"] = 42, ["-42"] = -42,
      ["9223372036854775807"] = math.maxinteger, ["-9223372036854775808"] = math.mininteger,
      ["-9223372036854775807"] = -math.maxinteger,
    } do
      assert.equal(expected, (core.integer(text)))
    end
  end)

  it("reads nothing else", function()
    for _, text in ipairs {
      "", "-", "+1", "--1", " 1", "1 ", "1.0", "1e3", "0x10", "٣", "1\0", "9223372036854775808", "-9223372036854775809",
      "99999999999999999999", "18446744073709551616",
    } do
      assert.is_nil((core.integer(text)), text)
    end
  end)
end)

describe("core.pairs", function()
  local function pairs_of(text)
    local asked = {}
    local list = core.pairs(text, function(piece)
      asked[#asked + 1] = piece
      return "<" .. piece .. ">"
    end)
    return list, asked
  end

  it("cuts at & and at the first =", function()
    for text, expected in pairs {
      [""] = {}, ["&&"] = {}, ["a"] = { "a", "" }, ["a="] = { "a", "" }, ["=b"] = { "", "b" }, ["="] = { "", "" },
      ["a=b=c"] = { "a", "b=c" }, ["&a=1&&b=2&"] = { "a", "1", "b", "2" }, ["a&b"] = { "a", "", "b", "" },
    } do
      assert.same({ expected, {} }, { pairs_of(text) })
    end
    assert.same({}, core.pairs(nil, print))
  end)

  it("asks for what may be written otherwise", function()
    local list, asked = pairs_of "a+b=1&c=%20&\xc3\xa4=d&e=f"
    assert.same({ "<a+b>", "1", "c", "<%20>", "<\xc3\xa4>", "d", "e", "f" }, list)
    assert.same({ "a+b", "%20", "\xc3\xa4" }, asked)
  end)

  it("raises what its function raises", function()
    assert.error_matches(function() core.pairs("%", function() error "no" end) end, "no")
  end)
end)
