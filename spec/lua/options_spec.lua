local options = require "sprylua.options"

describe("options", function()
  local rules = {
    name = options.text "x",
    size = options.integer(1),
    wait = options.seconds(2),
    loud = options.boolean(false),
    list = options.texts(),
    call = options.fn(),
  }

  local function make(given)
    return options.read("thing", given, rules)
  end

  local function message(given, other)
    local ok, text = pcall(options.read, "thing", given, other or rules)
    assert.is_false(ok)
    return (text:gsub("^[^:]*:%d+: ", ""))
  end

  it("fills in defaults, in a table of its own", function()
    local given = { size = 3 }
    local read = make(given)
    assert.same({ name = "x", size = 3, wait = 2, loud = false }, read)
    assert.not_equal(given, read)
    assert.same({ name = "x", wait = 2, loud = false }, make())
  end)

  it("keeps what was given, false too", function()
    assert.is_false(options.read("thing", { on = false }, { on = options.boolean(true) }).on)
  end)

  it("refuses a name that is not there, with the one that was meant", function()
    assert.equal("thing has no option sise; did you mean size?", message { sise = 1 })
    assert.equal("thing has no option 1; it takes call, list, loud, name, size, wait", message { "a" })
    assert.equal("thing takes no options, so not a", message({ a = 1 }, {}))
  end)

  it("refuses a value that does not fit", function()
    assert.equal("thing: size must be a whole number from 1 to 1099511627776, not 0", message { size = 0 })
    assert.equal("thing: size must be a whole number from 1 to 1099511627776, not 1.5", message { size = 1.5 })
    assert.equal("thing: name must be a string, not a table", message { name = {} })
    assert.equal("thing: wait must be a number of seconds, more than 0, not \"1\"", message { wait = "1" })
    assert.equal("thing: wait must be a number of seconds, more than 0, not inf", message { wait = math.huge })
    assert.equal("thing: list must be a list of strings, not a table", message { list = { a = "b" } })
    assert.equal("thing: list must be a list of strings, not a table", message { list = { "a", 1 } })
    assert.equal("thing: call must be a function, not true", message { call = true })
    assert.equal("the options of thing are a table, not 1", message(1))
  end)

  it("takes a whole number however it is written, up to its bound", function()
    for written, size in pairs { [1e6] = 1000000, [2 ^ 20] = 1048576, [2 ^ 40] = 1 << 40 } do
      local read = options.read("thing", { size = written }, rules)
      assert.equal("integer", math.type(read.size))
      assert.equal(size, read.size)
    end
    for _, size in ipairs { 2 ^ 40 + 1, 1e20, math.huge, 0 / 0, math.maxinteger } do
      assert.matches("size must be a whole number from 1 to 1099511627776, not ", message { size = size })
    end
  end)

  it("asks for what it needs", function()
    local needed = { key = options.required(options.text()) }
    assert.equal("thing needs the option key: a string", message({}, needed))
    assert.same({ key = "k" }, options.read("thing", { key = "k" }, needed))
  end)

  it("blames the line that gave them", function()
    local function public(given)
      local read = options.read("thing", given, rules)
      return read
    end
    local ok, text = pcall(function()
      local made = public { sise = 1 }
      return made
    end)
    assert.is_false(ok)
    assert.matches("options_spec.lua:%d+: thing has no option sise", text)
  end)
end)
