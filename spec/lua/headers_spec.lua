local headers = require "sprylua.headers"

describe("headers", function()
  local function make(given)
    return assert(headers.from(given))
  end

  it("are asked for in any case", function()
    local h = make { ["Content-Type"] = "text/html" }
    assert.equal("text/html", h:get "content-type")
    assert.equal("text/html", h:get "CONTENT-TYPE")
    assert.is_true(h:has "Content-type")
    assert.is_nil(h:get "x")
    assert.is_false(h:has "x")
  end)

  it("set replaces every field of the name, append adds one", function()
    local h = make {}
    h:append("X-A", "1")
    h:append("x-b", "2")
    h:append("x-a", "3")
    assert.equal("1, 3", h:get "x-a")
    assert.same({ "1", "3" }, h:getAll "X-A")
    h:set("x-A", "4")
    assert.same({ "4" }, h:getAll "x-a")
    h:set("x-b", 5)
    assert.equal("5", h:get "x-b")
    assert.equal(4, #h)
  end)

  it("set leaves one of many, and takes numbers as they are written", function()
    local h = make { a = { "1", "2", "3" }, b = "4" }
    h:set("A", 1.5)
    h:set("b", math.mininteger)
    assert.same({ "1.5" }, h:getAll "a")
    assert.equal("-9223372036854775808", h:get "b")
    for i = 1, 20 do h:set("x-" .. i, i) end
    assert.equal(44, #h)
    assert.equal("20", h:get "X-20")
  end)

  it("are none for what is no name, at the caller's line", function()
    local h = make { a = "1" }
    assert.is_nil(h:get "")
    assert.is_nil(h:get "a\0")
    assert.equal(1, select("#", h:get "b")) -- tostring(h:get "b") works
    local ok, message = pcall(function() return h:get(nil), 1 end)
    assert.is_false(ok)
    assert.matches("headers_spec.lua:%d+: bad argument #1 to 'get'", message)
  end)

  it("delete removes every field of the name", function()
    local h = make { a = { "1", "2", "3" }, b = "4" }
    h:delete "A"
    assert.same({}, h:getAll "a")
    assert.equal("4", h:get "b")
    assert.equal(2, #h)
  end)

  it("are read and written by methods alone", function()
    local list = headers.from { a = "1" }
    local ok, message = pcall(function() return list["content-type"] end)
    assert.is_false(ok)
    assert.matches('headers_spec.lua:%d+: response.headers has no field content%-type; write response', message)
    ok, message = pcall(function() list["x-a"] = "b" end)
    assert.is_false(ok)
    assert.matches('headers_spec.lua:%d+: response.headers has no field x%-a; write response.headers:set', message)
    list:set("x-a", "b")
    assert.equal("b", list:get "x-a")
  end)

  it("go round in order", function()
    local h = make {}
    h:append("B", "1")
    h:append("A", "2")
    h:append("B", "3")
    local seen = {}
    for name, value in pairs(h) do
      seen[#seen + 1] = name .. "=" .. value
    end
    assert.same({ "b=1", "a=2", "b=3" }, seen)
  end)

  it("are lines to people", function()
    local h = make { ["set-cookie"] = { "a=1", "b=2" } }
    h:append("X", 1)
    assert.equal("set-cookie: a=1\nset-cookie: b=2\nx: 1", tostring(h))
    assert.equal("", tostring(make {}))
    local event = require("sprylua.testing").event { headers = { accept = "text/html", cookie = "a=1" } }
    local text = tostring(event.headers):lower()
    assert.truthy(text:find("host: localhost\naccept: text/html\ncookie: a=1", 1, true), text)
    assert.equal(text, tostring(event.request.headers):lower())
  end)

  it("are made of names in any case, each of them kept", function()
    local h = make { A = "1", a = "2", B = 3 }
    local values = h:getAll "a"
    table.sort(values)
    assert.same({ "1", "2" }, values)
    assert.equal("3", h:get "b")
    assert.is_nil((headers.from { [1] = "x" }))
    assert.is_nil((headers.from { [""] = "x" }))
    assert.same({}, make(nil):getAll "a")
  end)

  it("take a list of values, a number, and another Headers", function()
    local h = make { ["set-cookie"] = { "a=1", "b=2" }, age = 7 }
    assert.same({ "a=1", "b=2" }, h:getAll "set-cookie")
    assert.equal("7", h:get "age")
    local copy = make(h)
    copy:set("age", 8)
    assert.equal("7", h:get "age")
    assert.same({ "a=1", "b=2" }, copy:getAll "set-cookie")
  end)

  it("refuse what would split a response, at the caller's line", function()
    local h = make {}
    for _, value in ipairs { "a\r\nb: c", "a\nb", "a\rb", "a\0b" } do
      for _, method in ipairs { "set", "append" } do
        local ok, message = pcall(function()
          h[method](h, "location", value)
        end)
        assert.is_false(ok)
        assert.matches("headers_spec.lua:%d+: the header location has a line break", message)
      end
      local made, problem = headers.from { location = value }
      assert.is_nil(made)
      assert.matches("line break", problem)
    end
    assert.equal(0, #h)
  end)

  it("refuse names and values that are none", function()
    local h = make {}
    for _, name in ipairs { "", "a b", "a:b", "ä", "a\r\n" } do
      assert.has_error(function() h:set(name, "x") end)
    end
    assert.has_error(function() h:set("x", true) end)
    assert.has_error(function() h:append("x", nil) end)
    assert.is_nil((headers.from "x: y"))
    for _, name in ipairs { "x-1", "!#$%&'*+-.^_`|~" } do
      h:set(name, "x")
      assert.equal("x", h:get(name))
    end
  end)
end)

describe("a quoted string", function()
  it("cannot be left, nor the line", function()
    assert.equal('"plain"', headers.quote "plain")
    assert.equal('"say \\"hi\\" \\\\"', headers.quote 'say "hi" \\')
    assert.equal('"a  b c"', headers.quote "a\r\nb\0c")
    assert.equal('""', headers.quote "")
  end)
end)
