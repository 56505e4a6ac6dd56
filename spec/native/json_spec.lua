-- sprylua.json: RFC 8259 both ways, with nothing lost that Lua can hold.
local cases = require "spec.support.json_cases"
local json = require "sprylua.json"

local function list(...) return json.array { ... } end

describe("json.decode", function()
  -- The case's name: its text, when it is short.
  local function name_of(case)
    return type(case) == "table" and case.name or ("%q"):format(type(case) == "table" and case[1] or case)
  end

  for _, case in ipairs(cases.accepted) do
    it("accepts " .. name_of(case), function()
      local value, message = json.decode(case[1])
      assert.is_nil(message)
      if case[2] == nil then return assert.is_table(value) end
      assert.same(case[2], value)
      -- Integers and floats, empty lists and empty objects are the same to `same`.
      assert.equal(json.encode(case[2], { sortKeys = true }), json.encode(value, { sortKeys = true }))
    end)
  end

  for _, case in ipairs(cases.rejected) do
    it("rejects " .. name_of(case), function()
      local value, message = json.decode(type(case) == "table" and case[1] or case)
      assert.is_nil(value)
      assert.matches("^JSON, line %d+, column %d+: .", message)
    end)
  end

  it("is tried with many cases, each once", function()
    local seen = {}
    for _, list_of in pairs(cases) do
      for _, case in ipairs(list_of) do
        local text = type(case) == "table" and case[1] or case
        assert.is_nil(seen[text], name_of(case))
        seen[text] = true
      end
    end
    assert.is_true(#cases.accepted >= 95, #cases.accepted)
    assert.is_true(#cases.rejected >= 180, #cases.rejected)
  end)

  it("rejects every beginning of a text", function()
    local text = [[{"key":[1.5e+3,true,false,null,"a\n\ud83d\ude00é",{"x":{}}],"n":-12}]]
    for i = 0, #text - 1 do assert.is_nil((json.decode(text:sub(1, i))), text:sub(1, i)) end
    assert.is_table(json.decode(text))
  end)

  it("keeps integers integers and floats floats", function()
    for text, value in pairs {
      ["0"] = 0, ["-0"] = 0, ["1"] = 1, ["-1"] = -1, ["9223372036854775807"] = math.maxinteger,
      ["-9223372036854775808"] = math.mininteger,
      ["1234567890123456789"] = 1234567890123456789, ["999999999999999999"] = 999999999999999999,
      ["9007199254740993"] = 9007199254740993,
      ["9223372036854775808"] = 2.0 ^ 63, ["-9223372036854775809"] = -2.0 ^ 63,
      ["123456789012345678901234567890"] = 123456789012345678901234567890.0,
      ["1.0"] = 1.0, ["0.0"] = 0.0, ["1e0"] = 1.0, ["1E2"] = 100.0, ["-2.5e-1"] = -0.25, ["0.1"] = 0.1, ["1e22"] = 1e22,
      ["1e23"] = 1e23, ["1e-22"] = 1e-22,
      ["123456789012345.678"] = 123456789012345.678, ["9007199254740993.0"] = 9007199254740992.0,
      ["1.7976931348623157e308"] = 1.7976931348623157e308,
      ["5e-324"] = 5e-324, ["1e-999"] = 0.0, ["0e999"] = 0.0, ["0.30000000000000004"] = 0.1 + 0.2,
      ["2.2250738585072011e-308"] = 2.2250738585072011e-308,
      ["0." .. ("0"):rep(400) .. "1e401"] = 1.0, ["1" .. ("0"):rep(300)] = 1e300, ["1." .. ("0"):rep(300)] = 1.0,
      ["0.00000000000000000000001"] = 1e-23,
    } do
      for _, wrapped in ipairs { text, "[" .. text .. "]", '{"a":' .. text .. "}" } do
        local got = json.decode(wrapped)
        if type(got) == "table" then got = got[1] or got.a end
        assert.equal(value, got, text)
        assert.equal(math.type(value), math.type(got), text)
      end
    end
    assert.equal("-0.0", tostring(json.decode "-0.0"))
    assert.equal("-0.0", tostring(json.decode "-0e5"))
  end)

  it("reads numbers as Lua does", function()
    math.randomseed(11)
    for _ = 1, 5000 do
      local text = ("%s%d.%0" .. math.random(1, 12) .. "de%d"):format(math.random(2) == 1 and "-" or "",
        math.random(0, 10 ^ math.random(0, 9)),
        math.random(0, 99999), math.random(-320, 290))
      assert.equal(tonumber(text), json.decode(text), text)
    end
  end)

  it("tells [] from {}", function()
    assert.equal("[]", json.encode(json.decode "[]"))
    assert.equal("{}", json.encode(json.decode "{}"))
    local decoded = json.decode '{"list":[1],"empty":[]}'
    table.remove(decoded.list)
    assert.equal('{"empty":[],"list":[]}', json.encode(decoded, { sortKeys = true }))
  end)

  it("says where it stopped", function()
    local function message(text) return select(2, json.decode(text)) end
    assert.equal("JSON, line 3, column 8: bad UTF-8", message('{\n  "a": 1,\n  "b": \xFF }'))
    assert.equal("JSON, line 1, column 3: half of a surrogate pair", message [=[["\ud800"]]=])
    assert.equal("JSON, line 1, column 1: a byte order mark is not allowed", message "\xEF\xBB\xBF1")
    assert.equal("JSON, line 1, column 1: premature EOF", message "")
    assert.equal("JSON, line 2, column 1: premature EOF", message "[1,\n")
    assert.matches("^JSON, line 2, column 1: invalid char", message "[1,\nx]")
    assert.matches("^JSON, line 1, column 4: trailing garbage", message "[] x")
    assert.matches("^JSON, line 1, column 4: unallowed token", message "[1,]")
    assert.matches("^JSON, line 1, column 2: invalid char", message "1\v")
    assert.matches("^JSON, line 1, column 8: a number is too large", message "[1,1e400]")
  end)

  it("bounds the depth", function()
    for open, close in pairs { ["["] = "]", ['{"a":'] = "}" } do
      local function nested(n) return open:rep(n) .. "1" .. close:rep(n) end
      local value = json.decode(nested(256))
      for _ = 1, 256 do value = value[1] or value.a end
      assert.equal(1, value)
      local none, message = json.decode(nested(257))
      assert.is_nil(none)
      assert.matches("nested too deep", message)
      assert.is_nil((json.decode(open:rep(1000000))))
    end
  end)

  it("takes large texts", function()
    local long = ("é\\n\\u00e9x"):rep(100000)
    assert.equal(("é\néx"):rep(100000), json.decode('"' .. long .. '"'))
    local items = {}
    for i = 1, 100000 do items[i] = i end
    assert.same(items, json.decode("[" .. table.concat(items, " , ") .. "]"))
  end)

  it("wants a string", function()
    for _, value in ipairs { 1, {}, true } do assert.has_error(function() json.decode(value) end) end
    assert.has_error(function() json.decode() end)
  end)

  it("can be used from a finalizer that runs during it", function()
    local ran = 0
    for _ = 1, 200 do setmetatable({}, { __gc = function() ran = ran + #json.encode(json.decode "[1,[2],{}]") end }) end
    local text = "[" .. ("[1,{\"a\":\"b\"}],"):rep(5000) .. "0]"
    assert.equal(text, json.encode(json.decode(text)))
    collectgarbage()
    assert.equal(200 * #"[1,[2],{}]", ran)
  end)

  it("works in a coroutine", function()
    local deep = ("["):rep(200) .. ("]"):rep(200)
    assert.equal(deep, coroutine.wrap(function() return json.encode(json.decode(deep)) end)())
  end)
end)

describe("json.encode", function()
  local function fails(value, message, ...)
    local ok, err = pcall(json.encode, value, ...)
    assert.is_false(ok)
    assert.matches(message, err)
  end

  it("writes scalars", function()
    for _, case in ipairs {
      { json.null, "null" }, { true, "true" }, { false, "false" }, { "", '""' }, { 0, "0" }, { -1, "-1" },
      { math.maxinteger, "9223372036854775807" },
      { math.mininteger, "-9223372036854775808" }, { 10, "10" }, { "a", '"a"' },
    } do
      assert.equal(case[2], json.encode(case[1]))
    end
  end)

  it("writes the shortest float that is still one", function()
    for _, case in ipairs {
      { 1.0, "1.0" }, { -1.0, "-1.0" }, { 0.0, "0.0" }, { -0.0, "-0.0" }, { 0.5, "0.5" }, { -12.25, "-12.25" },
      { 0.1, "0.1" }, { 0.1 + 0.2, "0.30000000000000004" },
      { 1e15, "1e+15" }, { 1e300, "1e+300" }, { 1e-7, "0.0000001" }, { 1e-9, "1e-09" }, { 123456.789, "123456.789" },
      { 2.0 ^ 53, "9007199254740992.0" },
      { 2.0 ^ 63, "9.223372036854776e+18" }, { 1 / 3, "0.3333333333333333" },
      { 1.7976931348623157e308, "1.7976931348623157e+308" }, { 100.0, "100.0" }, { 1.05, "1.05" },
      { 3.00000001, "3.00000001" },
    } do
      assert.equal(case[2], json.encode(case[1]))
    end
    math.randomseed(5)
    for _ = 1, 20000 do
      local value = ("d"):unpack(("j"):pack(math.random(0)))
      if value ~= value or math.abs(value) == math.huge then value = math.random() * 10 ^ math.random(-5, 12) end
      if math.random(3) == 1 then value = math.floor(math.random() * 1e6) / 10.0 ^ math.random(0, 6) end
      local back = json.decode(json.encode(value))
      assert.equal(value, back)
      assert.equal("float", math.type(back))
    end
  end)

  it("escapes only what must be", function()
    assert.equal([["\"\\/\b\f\n\r\t"]], json.encode '"\\/\b\f\n\r\t')
    assert.equal([["\u0000\u0001\u000b\u001f]] .. '\127"', json.encode "\0\1\v\31\127")
    assert.equal('"é€😀\u{2028}\u{2029}<>&\'"', json.encode "é€😀\u{2028}\u{2029}<>&'")
    for i = 0, 127 do -- at every place of a run of eight
      for before = 0, 9 do
        local text = ("x"):rep(before) .. string.char(i) .. ("y"):rep(11)
        local encoded = json.encode(text)
        assert.equal(text, json.decode(encoded))
        local plain = i >= 32 and i ~= 34 and i ~= 92
        assert.equal(plain, encoded == '"' .. text .. '"')
      end
    end
  end)

  it("refuses bad UTF-8", function()
    for _, bad in ipairs {
      "\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
      "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF",
      "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xE2\x28\xA1", "\xE2\x82\x28", "\xF0\x9F\x98\x28", "\xC3\xC3\xA9",
    } do
      for _, text in ipairs { bad, "a" .. bad, ("a"):rep(9) .. bad .. "b", "é" .. bad .. ("c"):rep(20) } do
        fails(text, "bad UTF%-8 in a string, byte %d+, at %$")
        fails({ [text] = 1 }, "bad UTF%-8")
      end
    end
    assert.equal('"\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}"',
      json.encode "\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}")
  end)

  it("refuses what has no JSON form, and says where", function()
    fails(0 / 0, "NaN has no JSON form at %$$")
    fails({ a = { 1, 1 / 0 } }, "an infinity has no JSON form at %$.a%[2%]$")
    fails({ -1 / 0 }, "an infinity")
    fails({ users = { { name = print } } }, "a function has no JSON form, at %$.users%[1%].name$")
    fails(coroutine.create(print), "a thread")
    fails(io.stdout, "a userdata")
    fails(nil, "a nil has no JSON form")
    assert.has_error(function() json.encode() end)
  end)

  it("names its caller", function()
    local _, message = pcall(function() return (json.encode(print)) end)
    assert.matches("^[^:]*json_spec.lua:%d+: json.encode: a function", message)
  end)

  it("writes arrays", function()
    assert.equal("[1,2,3]", json.encode { 1, 2, 3 })
    assert.equal("[[1],[]]", json.encode { { 1 }, json.array() })
    assert.equal("[false,null]", json.encode { false, json.null })
    local backwards = {}
    for i = 10, 1, -1 do backwards[i] = i end -- the hash part has some
    assert.equal("[1,2,3,4,5,6,7,8,9,10]", json.encode(backwards))
    local grown = { nil, nil, 3, 4 }
    grown[2], grown[1] = 2, 1
    assert.equal("[1,2,3,4]", json.encode(grown))
    local nested = {}
    nested[3], nested[2], nested[1] = { { 3 } }, "two", { one = 1 }
    assert.equal('[{"one":1},"two",[[3]]]', json.encode(nested))
  end)

  it("writes objects", function()
    assert.equal("{}", json.encode {})
    assert.equal('{"a":{"b":[]}}', json.encode { a = { b = json.array {} } })
    assert.equal('{"\\"":1}', json.encode { ['"'] = 1 })
    assert.same({ a = 1, b = "x", c = { true } }, json.decode(json.encode { a = 1, b = "x", c = { true } }))
  end)

  it("follows the marks", function()
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("{}", json.encode(json.object {}))
    assert.equal("{}", json.encode(json.object()))
    assert.equal("{}", json.encode(json.object(json.array {})))
    assert.equal('[1,"a"]', json.encode(list(1, "a")))
    local t = {}
    assert.equal(t, json.array(t))
    assert.equal(t, json.object(t))
    fails(json.array { a = 1 }, 'key "a" among the items of an array at %$$')
    fails({ x = json.object { "a" } }, "key 1 among the keys of an object at %$.x$")
    assert.error_matches(function() json.array(setmetatable({}, {})) end, "metatable of its own")
    assert.has_error(function() json.array(1) end)
  end)

  it("refuses mixed and sparse tables, and says where", function()
    fails({ 1, 2, a = 3 }, 'key "a" among the items of an array at %$$')
    fails({ x = { 1, nil, 3 } }, "index 3 in an array with gaps at %$.x$")
    fails({ { [2] = "b" } }, "index 2 in an array with gaps at %$%[1%]$")
    fails({ [0] = "a" }, "index 0 in an array with gaps")
    fails({ [1] = 1, [2 ^ 53] = 2 }, "index 9007199254740992 in an array with gaps")
    fails({ [1.5] = "a" }, "a key that is a number")
    fails({ [true] = "a" }, "a key that is a boolean")
    fails({ a = 1, [true] = 2 }, "a key that is a boolean")
    local ok, message = pcall(json.encode, { a = 1, [1] = 2 })
    assert.is_false(ok)
    assert.matches("among the", message)
  end)

  it("bounds the depth, and so catches cycles", function()
    local function nested(n)
      local value = json.array()
      for _ = 2, n do value = { value } end
      return value
    end
    assert.equal(("["):rep(256) .. ("]"):rep(256), json.encode(nested(256)))
    fails(nested(257), "nested too deep, or in a cycle, at %$%[1%].*…$")
    local cycle = {}
    cycle.self = { cycle }
    fails(cycle, "in a cycle, at %$.self%[1%].self")
    assert.equal("[1]", json.encode { 1 }) -- an error leaves nothing behind
  end)

  it("ignores metamethods", function()
    local t = setmetatable({ 1 },
      { __index = { 2, 3 }, __len = function() return 9 end, __pairs = function() error "no" end })
    assert.equal("[1]", json.encode(t))
  end)

  it("takes other libraries' null", function()
    local ok, cjson = pcall(require, "cjson")
    if ok then assert.equal("[null]", json.encode { cjson.null }) end
  end)

  it("indents", function()
    local value = { 1, json.array(), json.object(), { a = { true } } }
    assert.equal([=[
[
  1,
  [],
  {},
  {
    "a": [
      true
    ]
  }
]]=], json.encode(value, { indent = 2 }))
    assert.equal('[\n "a"\n]', json.encode({ "a" }, { indent = 1 }))
    assert.equal('["a"]', json.encode({ "a" }, { indent = 0 }))
  end)

  it("sorts keys by their bytes", function()
    local value = { b = 1, a = 2, aa = 3, [""] = 4, ["é"] = 5, Z = { y = 1, x = 2 } }
    assert.equal('{"":4,"Z":{"x":2,"y":1},"a":2,"aa":3,"b":1,"é":5}', json.encode(value, { sortKeys = true }))
    assert.equal("{}", json.encode({}, { sortKeys = true }))
    assert.equal('{\n "a": {},\n "b": 1\n}', json.encode({ b = 1, a = {} }, { sortKeys = true, indent = 1 }))
    local many = {}
    for i = 1, 2000 do many[("k%05d"):format(i)] = i end
    local last = ""
    for key in json.encode(many, { sortKeys = true }):gmatch '"(k%d+)"' do
      assert.is_true(last < key)
      last = key
    end
    fails({ [1] = 1, a = 2 }, "among the", { sortKeys = true })
  end)

  it("refuses unknown options", function()
    fails({}, "no option 'pretty'; there are indent and sortKeys", { pretty = true })
    fails({}, "indent must be 0 to 16", { indent = 17 })
    fails({}, "number expected", { indent = "x" })
    fails({}, "table expected", true)
  end)

  it("takes large values", function()
    local items = {}
    for i = 1, 20000 do items[i] = { id = i, text = ("é\n"):rep(20) } end
    assert.same(items, json.decode(json.encode(items)))
    local long = ("\1"):rep(300000)
    assert.equal(#long * 6 + 2, #json.encode(long))
    assert.equal("1", json.encode(1))
  end)

  it("takes records that are unlike the one before them", function()
    local items = {}
    for i = 1, 300 do
      local record, values = {}, {}
      for k = 1, i * 7 % 11 do record["k" .. k], values[k] = i, { k } end
      items[i] = { record = record, values = values, more = i % 3 == 0 and { values } or nil }
    end
    assert.same(items, json.decode(json.encode(items)))
  end)

  it("gives small values no more memory because a large one was in front of them", function()
    local large = {}
    for i = 1, 1000 do large[i] = ('"k%d":1'):format(i) end
    local function memory_of(text)
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      json.decode(text)
      local taken = collectgarbage "count" - before
      collectgarbage "restart"
      return taken
    end
    local empty = ("{},"):rep(5000)
    local alone = memory_of("[" .. empty .. "1]") + memory_of("{" .. table.concat(large, ",") .. "}")
    local after = memory_of("[{" .. table.concat(large, ",") .. "}," .. empty .. "1]")
    assert.is_true(after < alone * 1.5, ("%.0f KiB instead of %.0f"):format(after, alone))
  end)

  it("does not care for the locale", function()
    local before = os.setlocale(nil, "numeric")
    for _, name in ipairs { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "sv_SE.UTF-8" } do
      if os.setlocale(name, "numeric") then break end
    end
    local text, value = json.encode { 0.1, 1 / 3, 1e300 }, json.decode "[0.1, 0.3333333333333333, 1.5e300]"
    os.setlocale(before, "numeric")
    assert.equal("[0.1,0.3333333333333333,1e+300]", text)
    assert.same({ 0.1, 1 / 3, 1.5e300 }, value)
  end)
end)

describe("json.null", function()
  it("is one value that names itself", function()
    assert.equal("null", tostring(json.null))
    assert.equal(json.null, json.decode "null")
    assert.equal(json.null, json.decode('{"a":null}').a)
  end)

  it("survives a reload of the module", function()
    local loaded = package.loaded["sprylua.json"]
    package.loaded["sprylua.json"] = nil
    local again = require "sprylua.json"
    package.loaded["sprylua.json"] = loaded
    assert.equal(json.null, again.null)
    assert.equal("[null,[]]", again.encode { json.null, json.array() })
  end)
end)
