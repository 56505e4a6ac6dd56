local loader = require "sprylua.loader"
local spry = require "sprylua"

describe("loader", function()
  local path

  local function file(text)
    path = path or os.tmpname()
    local handle = assert(io.open(path, "w"))
    handle:write(text)
    handle:close()
    return path
  end

  after_each(function()
    if path then
      os.remove(path)
    end
    path = nil
  end)

  it("takes a handler, bare or defined", function()
    local definition = assert(loader.route(file "return function() return 7 end"))
    assert.equal(7, definition.handler())
    definition = assert(loader.route(file [[
      return require("sprylua").defineHandler { handler = function() return 8 end, openapi = {} }]]))
    assert.equal(8, definition.handler())
    assert.is_table(definition.openapi)
    assert.is_function(spry.defineHandler)
  end)

  it("says the line of a syntax error", function()
    local found, problem = loader.route(file "local x = 1\nlocal = 2\n")
    assert.is_nil(found)
    assert.equal(path .. ":2: ", problem:sub(1, #path + 4))
    assert.matches("expected", problem)
  end)

  it("says what a file raised while it was loaded", function()
    assert.matches("while it was loaded: .*: boom", select(2, loader.route(file 'error "boom"')))
    assert.matches("error%(nil%)", select(2, loader.route(file "error()")))
    assert.matches("while it was loaded: a table without __tostring or message was raised: it is empty",
      select(2, loader.route(file "error({})")))
    assert.matches("module 'no.such.thing' not found", select(2, loader.route(file 'require "no.such.thing"')))
  end)

  it("says what a file returns instead of a handler", function()
    assert.matches("it returns nothing %(forgot return%?%); a route file returns its handler",
      select(2, loader.route(file "local function f() end")))
    assert.matches("it returns a table", select(2, loader.route(file "return { handler = print }")))
    assert.matches("it returns a string", select(2, loader.route(file "return 'hello'")))
    assert.matches("it returns a number; it must return a function: return function%(event, next%)",
      select(2, loader.fn(file "return 7", "function(event, next) … end")))
  end)

  it("does not run compiled chunks", function()
    local found, problem = loader.route(file(string.dump(function() end)))
    assert.is_nil(found)
    assert.matches("binary", problem)
  end)

  it("checks the names and kinds of hooks", function()
    assert.is_function(assert(loader.hooks(file "return { onStart = print, onStop = print, onError = print }")).onError)
    local found, problems = loader.hooks(file "return { onstart = print, onStop = 1 }")
    assert.is_nil(found)
    assert.equal(2, #problems)
    assert.matches("onStop must be a function, not a number", problems[1])
    assert.matches("there is no hook onstart", problems[2])
    assert.matches("returns nothing", select(2, loader.hooks(file ""))[1])
  end)
end)
