local params = require "sprylua.params"

describe("params", function()
  local function refusal(fn)
    local ok, err = pcall(fn)
    assert.is_false(ok)
    assert.equal(404, err.status)
    return err.message
  end

  it("are fields", function()
    local p = params.new { id = "7", slug = "a/b" }
    assert.equal("7", p.id)
    assert.equal("a/b", p.slug)
    assert.is_nil(p.other)
    assert.equal("7", p:get "id")
    assert.is_nil(p:get "other")
  end)

  it("required is a 404 when there is none", function()
    local p = params.new { id = "7" }
    assert.equal("7", p:required "id")
    assert.matches("section is missing", refusal(function() p:required "section" end))
  end)

  it("int takes whole numbers of 64 bits", function()
    for text, number in pairs {
      ["0"] = 0, ["7"] = 7, ["-7"] = -7, ["007"] = 7, ["9223372036854775807"] = math.maxinteger,
      ["-9223372036854775808"] = math.mininteger,
    } do
      local got = params.new({ id = text }):int "id"
      assert.equal(number, got)
      assert.equal("integer", math.type(got))
    end
    for _, text in ipairs {
      "", "x", "7x", "1.0", "1e3", "0x10", " 7", "7 ", "+7", "--7", "-", "9223372036854775808",
      "99999999999999999999", "٣", "7\n",
    } do
      assert.matches("id is a whole number", refusal(function() params.new({ id = text }):int "id" end))
    end
    assert.is_nil(params.new({}):int "id")
  end)

  it("num takes decimal numbers", function()
    for text, number in pairs { ["0"] = 0, ["-1.5"] = -1.5, ["1e3"] = 1000, [".5"] = 0.5, ["2E-1"] = 0.2 } do
      assert.equal(number, params.new({ x = text }):num "x")
    end
    for _, text in ipairs { "", "x", "0x10", "inf", "nan", "-", ".", "1..2", "1e999", "1e", " 1", "1 " } do
      refusal(function() params.new({ x = text }):num "x" end)
    end
    assert.is_nil(params.new({}):num "x")
  end)

  it("enum takes what is listed", function()
    local p = params.new { order = "asc" }
    assert.equal("asc", p:enum("order", { "asc", "desc" }))
    assert.matches("one of up, down", refusal(function() p:enum("order", { "up", "down" }) end))
    assert.is_nil(p:enum("other", { "up" }))
    assert.has_error(function() p:enum("order", "asc") end)
  end)

  it("decode takes a function's word", function()
    local p = params.new { day = "2024-02-30" }
    assert.equal(10, p:decode("day", function(text) return #text end))
    refusal(function() p:decode("day", function() end) end)
    refusal(function() p:decode("day", function() return false end) end)
    refusal(function() p:decode("day", function() error "broken" end) end)
    assert.is_nil(p:decode("other", error))
    local http_error = require "sprylua.http_error"
    local ok, err = pcall(p.decode, p, "day", function() error(http_error.HTTPError(410)) end)
    assert.is_false(ok)
    assert.equal(410, err.status)
    assert.has_error(function() p:decode "day" end)
  end)

  it("named like a method are reached through get", function()
    local p = params.new { get = "a", int = "5", id = "b" }
    assert.equal("a", p:get "get")
    assert.equal(5, p:int "int")
    assert.equal("b", p.id)
    local seen = {}
    for name, value in pairs(p) do
      seen[name] = value
    end
    assert.same({ get = "a", int = "5", id = "b" }, seen)
  end)
end)
