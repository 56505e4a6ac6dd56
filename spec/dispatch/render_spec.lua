-- Pages made of views/, as a route author sees them.
local program = require "spec.support.program"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

local SHOW = [[
local spry = require "sprylua"
return function(event)
  return spry.render("show", { name = event.params.name })
end
]]

local function app(files)
  return testing.app(temp_routes.project(files) .. "/routes")
end

describe("a route that renders a view", function()
  it("answers with a page in which what the client sent is escaped", function()
    local served <close> = app { ["routes/[name].get.lua"] = SHOW, ["views/show.html"] = "<h1><%= name %></h1>\n" }
    local res = served:get "/%3Cscript%3E"
    assert.equal(200, res.status)
    assert.equal("text/html; charset=utf-8", res.headers:get "content-type")
    assert.equal("<h1>&lt;script&gt;</h1>\n", res.body)
  end)

  it("is a 500 without details when the view raises; the log names file and line", function()
    local served <close> = app { ["routes/[name].get.lua"] = SHOW, ["views/show.html"] = "\n<%= nmae %>" }
    local res = served:get "/ada"
    assert.equal(500, res.status)
    assert.equal("Internal Server Error", res.body)
    assert.matches("views/show.html:2: there is no value named 'nmae' (did you mean name?)", served.log[1], 1, true)
  end)

  it("may do so behind middleware, in an error file, for a miss, and after a wait", function()
    local served <close> = app {
      ["routes/_middleware.lua"] = "return function(_, next) return next() end",
      ["routes/_error.lua"] = [[
        return function(err) return require("sprylua").render("error", { err = err }, { status = err.status }) end]],
      ["routes/slow.get.lua"] = [[
        local spry = require "sprylua"
        return function()
          spry.sleep(1)
          return spry.render "slow"
        end]],
      ["views/error.html"] = "<h1><%= err.status %></h1>",
      ["views/slow.html"] = "slow",
    }
    local missing = served:get "/nowhere"
    assert.equal(404, missing.status)
    assert.equal("<h1>404</h1>", missing.body)
    assert.equal("slow", served:get("/slow").body)
  end)

  it("may do so while its file is loaded", function()
    local served <close> = app {
      ["routes/index.lua"] = [[
        local page = require("sprylua").render "home"
        return function() return page end]],
      ["views/home.html"] = "home",
    }
    assert.equal("home", served:get("/").body)
    assert.equal("home", served:get("/").body)
  end)
end)

describe("views of several projects in one process", function()
  local function greeting(text)
    return app {
      ["routes/[name].get.lua"] = SHOW,
      ["routes/late/[name].get.lua"] = SHOW:gsub("return spry.render", "spry.sleep(1)\n  return spry.render"),
      ["routes/deep/[name].get.lua"] = SHOW:gsub("return (spry.render.-)\n", [[
  local function down(n)
    local made = n == 0 and %1 or down(n - 1)
    return made
  end
  return down(999)
]]),
      ["views/show.html"] = text .. " <%= name %>",
    }
  end

  it("are each project's own", function()
    local hello <close> = greeting "Hello"
    local bye <close> = greeting "Bye"
    for _ = 1, 2 do
      assert.equal("Hello Ada", hello:get("/Ada").body)
      assert.equal("Bye Ada", bye:get("/Ada").body)
      assert.equal("Hello Bob", hello:get("/late/Bob").body)
      assert.equal("Bye Bob", bye:get("/late/Bob").body)
      assert.equal("Hello Eve", hello:get("/deep/Eve").body)
      assert.equal("Bye Eve", bye:get("/deep/Eve").body)
    end
  end)

  it("stay so while a request of each waits", function()
    local hello <close> = greeting "Hello"
    local bye <close> = greeting "Bye"
    local first, second = hello:connect(), bye:connect()
    first:send "GET /late/a HTTP/1.1\r\nHost: x\r\n\r\n"
    second:send "GET /late/b HTTP/1.1\r\nHost: x\r\n\r\n"
    hello.clock:advance(1)
    assert.equal("Hello a", first:answer().body)
    assert.equal("Bye b", second:answer().body)
    first:hangup()
    second:hangup()
  end)

  it("are none in a project without views/", function()
    local hello <close> = greeting "Hello"
    local bare <close> = app { ["routes/[name].get.lua"] = SHOW }
    assert.equal(500, bare:get("/Ada").status)
    assert.matches("there is no view .*/views/show.html", bare.log[1])
    assert.equal("Hello Ada", hello:get("/Ada").body)
  end)
end)

describe("a project with broken views", function()
  it("does not load, and every one is named with its line", function()
    local ok, message = pcall(app, {
      ["routes/index.lua"] = "return 7",
      ["views/a.html"] = "\n<% if x %>",
      ["views/users/b.html"] = "<%= (1 %>",
      ["views/fine.html"] = "<%= 1 %>",
    })
    assert.is_false(ok)
    assert.matches("views/a.html:2: 'then' expected near '%>'", message, 1, true)
    assert.matches("views/users/b.html:1: ", message, 1, true)
    assert.matches("routes/index.lua: it returns a number", message, 1, true)
    assert.is_nil(message:find("fine", 1, true))
  end)

  it("is refused by `sprylua check` with exit code 65", function()
    local folder = temp_routes.project { ["routes/index.lua"] = "return print", ["views/a.html"] = "\n<% if x %>" }
    local result = program.run({ "check" }, { folder = folder })
    assert.equal(65, result.code)
    assert.equal("sprylua: views/a.html:2: 'then' expected near '%>'\n", result.err)
  end)
end)

describe("docs/templates.md", function()
  it("shows what works", function()
    local file = assert(io.open "docs/templates.md")
    local text = file:read "a"
    file:close()
    local route, view = text:match "```lua\n(.-)```.-```html\n(.-)```"
    local served <close> = app {
      [assert(route:match "^%-%- (%S+)")] = route,
      ["views/users/show.html"] = view,
      ["views/users/friend.html"] = "<b><%= name %></b>\n",
      ["views/layout.html"] = text:match "`(<title>.-</title>) … " .. "<%= body %>",
    }
    assert.equal("<title>User &lt;7&gt;</title><h1>User &lt;7&gt;</h1>\n  <b>Ada</b>\n  <b>Bob</b>\n",
      served:get("/users/%3C7%3E").body)
  end)
end)
