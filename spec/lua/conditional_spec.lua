local conditional = require "sprylua.conditional"

local DATE = 784111777
local BEFORE, SAME, AFTER =
  "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"

local function evaluate(method, fields, etag, last_modified)
  return conditional.evaluate(method, function(name) return fields[name] end, etag, last_modified)
end

describe("conditional.matches", function()
  it("compares weakly, unless it is told to be strong (RFC 9110, section 8.8.3.2)", function()
    for _, case in ipairs {
      { 'W/"1"', 'W/"1"', true, false }, { 'W/"1"', 'W/"2"', false, false }, { 'W/"1"', '"1"', true, false },
      { '"1"', 'W/"1"', true, false }, { '"1"', '"1"', true, true },
    } do
      assert.equal(case[3], conditional.matches(case[1], case[2]))
      assert.equal(case[4], conditional.matches(case[1], case[2], true))
    end
  end)

  it("goes through a list", function()
    for _, list in ipairs { '"a", "b"', '"b","a"', ',, "a" ,,"b",', 'W/"a"\t,\tW/"b"', ' "b" ', '"", "b"' } do
      assert.is_true(conditional.matches(list, '"b"'), list)
    end
    assert.is_false(conditional.matches('"a", "c"', '"b"'))
    assert.is_true(conditional.matches('"x", ""', '""'))
  end)

  it("takes commas, and all that may stand inside the quotes", function()
    assert.is_true(conditional.matches('"a,b", "c"', '"c"'))
    assert.is_true(conditional.matches('"a,b"', '"a,b"'))
    assert.is_false(conditional.matches('"a,b"', '"b"'))
    assert.is_true(conditional.matches('"\xc3\xa9!#~", "x"', '"x"'))
  end)

  it("ends at what is malformed", function()
    for _, list in ipairs {
      "", "b", "'b'", '"b', 'b"', '"a" "b"', 'w/"b"', 'W "b"', '"a"x, "b"', "*, \"b\"", '"\0", "b"', '"a b", "b"', ",",
    } do
      assert.is_false(conditional.matches(list, '"b"'), list)
    end
    assert.is_true(conditional.matches('"b", oops', '"b"'))
    assert.is_false(conditional.matches('b', 'b'))
  end)

  it("takes a list of any length", function()
    assert.is_true(conditional.matches(('"a",'):rep(100000) .. '"b"', '"b"'))
    assert.is_false(conditional.matches(("\""):rep(100001), '"b"'))
  end)
end)

describe("conditional.evaluate", function()
  it("lets requests without conditions go on", function()
    assert.is_nil(evaluate("GET", {}, '"a"', DATE))
    assert.is_nil(evaluate("GET", {}))
  end)

  it("is 304 for a reader that has it already, and 412 for others", function()
    for _, list in ipairs { '"a"', 'W/"a"', '"b", "a"', "*" } do
      assert.equal(304, evaluate("GET", { ["if-none-match"] = list }, '"a"'))
      assert.equal(304, evaluate("HEAD", { ["if-none-match"] = list }, 'W/"a"'))
      assert.equal(412, evaluate("PUT", { ["if-none-match"] = list }, '"a"'))
      assert.equal(412, evaluate("DELETE", { ["if-none-match"] = list }, '"a"'))
    end
    assert.is_nil(evaluate("GET", { ["if-none-match"] = '"b"' }, '"a"'))
    assert.is_nil(evaluate("PUT", { ["if-none-match"] = '"b"' }, '"a"'))
  end)

  it("takes a star for whatever there is", function()
    assert.equal(304, evaluate("GET", { ["if-none-match"] = " * " }))
    assert.is_nil(evaluate("GET", { ["if-match"] = "*" }))
    assert.is_nil(evaluate("GET", { ["if-none-match"] = '"*"' }, '"a"'))
  end)

  it("is 412 when If-Match, which compares strongly, finds nothing", function()
    for _, method in ipairs { "GET", "PUT" } do
      assert.is_nil(evaluate(method, { ["if-match"] = '"b", "a"' }, '"a"'))
      assert.equal(412, evaluate(method, { ["if-match"] = '"b"' }, '"a"'))
      assert.equal(412, evaluate(method, { ["if-match"] = 'W/"a"' }, '"a"'))
      assert.equal(412, evaluate(method, { ["if-match"] = '"a"' }, 'W/"a"'))
      assert.equal(412, evaluate(method, { ["if-match"] = '"a"' }))
      assert.equal(412, evaluate(method, { ["if-match"] = "nonsense" }, '"a"'))
    end
  end)

  it("reads dates to the second", function()
    assert.is_nil(evaluate("GET", { ["if-modified-since"] = BEFORE }, nil, DATE))
    assert.equal(304, evaluate("GET", { ["if-modified-since"] = SAME }, nil, DATE))
    assert.equal(304, evaluate("HEAD", { ["if-modified-since"] = AFTER }, nil, DATE))
    assert.equal(412, evaluate("PUT", { ["if-unmodified-since"] = BEFORE }, nil, DATE))
    assert.is_nil(evaluate("PUT", { ["if-unmodified-since"] = SAME }, nil, DATE))
    assert.is_nil(evaluate("GET", { ["if-unmodified-since"] = AFTER }, nil, DATE))
  end)

  it("ignores dates that are none, that nothing is known about, or that come twice", function()
    for _, name in ipairs { "if-modified-since", "if-unmodified-since" } do
      assert.is_nil(evaluate("GET", { [name] = "yesterday" }, '"a"', DATE))
      assert.is_nil(evaluate("GET", { [name] = AFTER }, '"a"', nil))
      assert.is_nil(evaluate("GET", { [name] = BEFORE .. ", " .. BEFORE }, nil, DATE))
    end
    assert.is_nil(evaluate("POST", { ["if-modified-since"] = AFTER }, nil, DATE))
  end)

  it("lets tags speak before dates", function()
    assert.is_nil(evaluate("GET", { ["if-none-match"] = '"b"', ["if-modified-since"] = AFTER }, '"a"', DATE))
    assert.equal(304, evaluate("GET", { ["if-none-match"] = '"a"', ["if-modified-since"] = BEFORE }, '"a"', DATE))
    assert.is_nil(evaluate("PUT", { ["if-match"] = '"a"', ["if-unmodified-since"] = BEFORE }, '"a"', DATE))
  end)

  it("looks at 412 first, then at 304", function()
    assert.equal(412, evaluate("GET", { ["if-match"] = '"b"', ["if-none-match"] = '"a"' }, '"a"'))
    assert.equal(304, evaluate("GET", { ["if-match"] = '"a"', ["if-none-match"] = '"a"' }, '"a"'))
    assert.equal(304, evaluate("GET", { ["if-unmodified-since"] = AFTER, ["if-modified-since"] = AFTER }, nil, DATE))
  end)

  it("has nothing to say about methods without a representation", function()
    assert.is_nil(evaluate("OPTIONS", { ["if-match"] = '"b"', ["if-none-match"] = "*" }, '"a"'))
  end)
end)

describe("conditional.rangeApplies", function()
  it("is for exactly what the client has", function()
    assert.is_true(conditional.rangeApplies('"a"', '"a"'))
    assert.is_false(conditional.rangeApplies('"b"', '"a"'))
    assert.is_false(conditional.rangeApplies('W/"a"', '"a"'))
    assert.is_false(conditional.rangeApplies('"a"', 'W/"a"'))
    assert.is_false(conditional.rangeApplies('"a"', nil, DATE))
    assert.is_true(conditional.rangeApplies(SAME, nil, DATE))
    assert.is_false(conditional.rangeApplies(AFTER, nil, DATE))
    assert.is_false(conditional.rangeApplies(SAME, '"a"', nil))
    assert.is_false(conditional.rangeApplies("nonsense", '"a"', DATE))
  end)
end)
