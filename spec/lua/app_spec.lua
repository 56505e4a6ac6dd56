local app = require "sprylua.app"
local temp_routes = require "spec.support.temp_routes"

describe("app.load", function()
  local function handler() return "x" end

  local function problems(files, opts)
    local loaded, list = app.load(temp_routes.project(files) .. "/routes", opts)
    assert.is_nil(loaded)
    return list, table.concat(list, "\n")
  end

  it("gives the routing table, hooks, config and warnings", function()
    local folder = temp_routes.project {
      ["routes/index.lua"] = handler,
      ["routes/users/[id].get.lua"] = handler,
      ["routes/notes.txt"] = "",
      ["hooks.lua"] = "return { onStart = function() return 'started' end }",
      ["sprylua.config.lua"] = "return { port = 1234 }",
    }
    local loaded = assert(app.load(folder .. "/routes"))
    assert.same({
      { path = "/", file = folder .. "/routes/index.lua" },
      { method = "GET", path = "/users/:id", file = folder .. "/routes/users/[id].get.lua" },
    }, loaded.routes)
    assert.equal("started", loaded.hooks.onStart())
    assert.equal(1234, loaded.config.port)
    assert.matches("notes.txt: is no .lua file", loaded.warnings[1])
    assert.is_userdata(loaded.core)
  end)

  it("lists all problems at once, each with its file", function()
    local list, text = problems {
      ["routes/syntax.lua"] = "local = 1",
      ["routes/raises.lua"] = "error 'at load'",
      ["routes/nothing.lua"] = "",
      ["routes/number.lua"] = "return 7",
      ["routes/users/[id].lua"] = handler,
      ["routes/users/[name].get.lua"] = handler,
      ["routes/same.lua"] = handler,
      ["routes/same/index.lua"] = handler,
      ["routes/[a]/[a].lua"] = handler,
      ["routes/[...rest]/x.lua"] = handler,
      ["routes/[broken.lua"] = handler,
      ["routes/_helper.lua"] = handler,
      ["routes/_middleware.lua"] = "return {}",
      ["routes/_error.lua"] = "x x",
      ["middleware/auth.lua"] = handler,
      ["hooks.lua"] = "return { onstart = print }",
      ["sprylua.config.lua"] = "return { prot = 1 }",
    }
    for _, sentence in ipairs {
      "routes/syntax.lua:1: ", "routes/raises.lua: it raised an error while it was loaded: .*at load",
      "routes/nothing.lua: it returns nothing", "routes/number.lua: it returns a number",
      "routes/users/%[id%].lua, .*routes/users/%[name%].get.lua: the same place",
      "routes/same/index.lua, .*routes/same.lua: all of them answer /same", "routes/%[a%]/%[a%].lua: .*twice",
      "routes/%[%.%.%.rest%]/x.lua: .*must be the last", "routes/%[broken.lua: ", "routes/_helper.lua: ",
      "routes/_middleware.lua: it returns a table", "routes/_error.lua:1: ",
      "middleware/auth.lua: begin its name with a number", "hooks.lua: there is no hook onstart",
      "sprylua.config.lua: .*prot",
    } do
      assert.matches(sentence, text)
    end
    assert.equal(15, #list)
  end)

  it("says that there are no routes", function()
    local loaded, list = app.load "no/such/folder"
    assert.is_nil(loaded)
    assert.equal(1, #list)
    assert.matches("^no/such/folder: there is no such folder", list[1])
  end)

  it("lets the project's files require each other, and sprylua", function()
    local folder = temp_routes.project {
      ["routes/index.lua"] = [[
        local spry = require "sprylua"
        local greeting = require "lib.greeting_of_this_spec"
        return function() return spry.Response.text(greeting) end]],
      ["lib/greeting_of_this_spec.lua"] = "return 'hello from lib'",
    }
    local testing = require "sprylua.testing"
    local served <close> = testing.app(folder .. "/routes")
    assert.equal("hello from lib", served:get("/").body)
  end)

  it("says what is too much for the router", function()
    local names = {}
    for i = 1, 40 do
      names[i] = "[p" .. i .. "]"
    end
    local _, text = problems { ["routes/" .. table.concat(names, "/") .. ".lua"] = handler }
    assert.matches("param", text)
  end)
end)

describe("app.load of a project that is wrong", function()
  it("leaves spry.render with the views of the one before", function()
    local spry = require "sprylua"
    local folder = temp_routes.project { ["views/page.html"] = "before" }
    assert(app.load(folder .. "/routes"))
    local wrong = temp_routes.project { ["views/page.html"] = "after", ["routes/index.lua"] = "return 7" }
    assert.is_nil(app.load(wrong .. "/routes"))
    assert.equal("before", spry.render("page").body)
  end)
end)

describe("app.notice", function()
  it("answers everything with its text", function()
    local core = require "sprylua.core"
    local peer = core.connect(app.notice("Closed.", "out of order", require("sprylua.config").complete(), {}).core)
    for _, request in ipairs { "GET / HTTP/1.1", "POST /a/b?c HTTP/1.1", "PURGE /x HTTP/1.1" } do
      peer:feed(request .. "\r\nHost: x\r\n\r\n")
      local answer = peer:take()
      assert.matches("^HTTP/1.1 500 ", answer)
      assert.matches("\r\n\r\nClosed.\n\nout of order$", answer)
    end
    peer:hangup()
  end)
end)
