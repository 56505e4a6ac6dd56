local html = require "sprylua.html"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"
local views = require "sprylua.views"

-- The folder of views with such files, and what was said of them. They are those of the latest project from now on.
local function load(files)
  local inside = {}
  for name, text in pairs(files) do
    inside["views/" .. name] = text
  end
  local folder = temp_routes.project(inside) .. "/views"
  return folder, views.load(folder, true)
end

local function render(files, values)
  load(files)
  return spry.render("index", values).body
end

describe("spry.render", function()
  it("makes an HTML response of a view and its values", function()
    load { ["index.html"] = "<p><%= name %></p>" }
    local made = spry.render("index", { name = "<Ada>" })
    assert.equal(spry.Response, getmetatable(made))
    assert.equal(200, made.status)
    assert.equal("text/html; charset=utf-8", made.headers:get "content-type")
    assert.equal("<p>&lt;Ada&gt;</p>", made.body)
  end)

  it("takes an init as Response.html does", function()
    load { ["index.html"] = "x" }
    local made = spry.render("index", nil, { status = 404, headers = { ["x-a"] = "b" } })
    assert.equal(404, made.status)
    assert.equal("b", made.headers:get "x-a")
    assert.equal("text/plain", spry.render("index", {}, { headers = { ["content-type"] = "text/plain" } })
      .headers:get "content-type")
  end)

  it("says what is wrong at the caller's line", function()
    local folder = load { ["index.html"] = "x", ["users/show.html"] = "y" }
    for _, case in ipairs {
      { "there is no view " .. folder .. "/idnex.html (did you mean index?)", "idnex" },
      { "there is no view " .. folder .. "/user/show.html (did you mean users/show?)", "user/show" },
      { "there is no view " .. folder .. "/index.html.html (a view's name goes without .html)", "index.html" },
      { "there is no view " .. folder .. "/../views/index.html", "../views/index" },
      { "there is no view " .. folder .. "/.html", "" },
      { "render takes the name of a view, not a nil" },
      { "render takes the name of a view, not a table", {} },
      { "the values for the view index are a table such as { name = … }, not a string", "index", "Ada" },
      { "the values for the view index have names, as in { name = … }; this one has the key 1", "index", { "Ada" } },
      { "the init of a Response takes status and headers, not stauts", "index", {}, { stauts = 404 } },
      { "a response's status is a whole number from 200 to 599, not 99", "index", {}, { status = 99 } },
    } do
      local ok, message = pcall(function()
        local made = spry.render(table.unpack(case, 2, 4))
        return made
      end)
      assert.is_false(ok)
      local where, sentence = message:match "^(.-views_spec.lua:%d+): (.*)$"
      assert.is_truthy(where, message)
      assert.equal(case[1], sentence)
    end
  end)

  it("does not change the values it is given", function()
    local values = { list = { 1 } }
    assert.equal("2", render({ ["index.html"] = "<% list = 2 other = 3 %><%= list %>" }, values))
    assert.same({ list = { 1 } }, values)
  end)

  it("gives a view the harmless part of Lua, and no other global", function()
    assert.equal("ok", render { ["index.html"] = [[<%
      for i, name in ipairs { "ipairs", "pairs", "next", "select", "tostring", "tonumber", "type", "raw", "render" } do
        if type(_ENV[name]) ~= "function" then %><%= name %><% end
      end
      for i, name in ipairs { "string", "table", "math", "utf8", "os" } do
        if type(_ENV[name]) ~= "table" then %><%= name %><% end
      end
      for i, name in ipairs { "require", "load", "loadfile", "dofile", "io", "debug", "package", "_G", "print",
        "getmetatable", "setmetatable", "rawset", "coroutine", "collectgarbage", "error", "pcall", "arg" } do
        if _ENV[name] ~= nil then %><%= name %><% end
      end
      if os.execute or os.exit or not os.date or not os.time then %>os<% end
    %>ok]] })
  end)

  it("keeps what a view assigns to this rendering", function()
    load { ["index.html"] = "<%= seen or 'new' %><% seen = 'old' %>" }
    assert.equal("new", spry.render("index").body)
    assert.equal("new", spry.render("index").body)
  end)

  it("names file and line of what a view raises", function()
    local folder = load { ["a/b.html"] = "\n<%= user.name %>" }
    local ok, message = pcall(spry.render, "a/b")
    assert.is_false(ok)
    assert.equal(folder .. "/a/b.html:2: attempt to index a nil value (global 'user')", message)
  end)
end)

describe("a partial", function()
  it("is HTML already, and sees only its own values", function()
    assert.equal("<ul><li>&lt;a&gt;</li><li>b</li></ul><li>c</li>none", render({
      ["index.html"] = "<ul><% for _, x in ipairs(list) do %><%= render('item', { x = x }) %><% end %></ul>"
        .. "<%- render('item', { x = 'c' }) %><%= render 'shared/peek' %>",
      ["item.html"] = "<li><%= x %></li>",
      ["shared/peek.html"] = "<%= list or 'none' %>",
    }, { list = { "<a>", "b" } }))
  end)

  it("can be kept, joined and passed on", function()
    assert.equal("&lt;<b>x</b>|<b>x</b>", render {
      ["index.html"] = "<% local b = render('bold', { inner = raw '<b>x</b>' }) %><%= '<' .. b %>|<%= b %>",
      ["bold.html"] = "<%= inner %>",
    })
  end)

  it("that is not there is an error at the line that wants it", function()
    local folder = load { ["index.html"] = "\n\n<%= render 'itme' %>", ["item.html"] = "" }
    assert.equal(("%s/index.html:3: there is no view %s/itme.html (did you mean item?)"):format(folder, folder),
      select(2, pcall(spry.render, "index")))
  end)

  it("names its own line when it raises", function()
    local folder = load { ["index.html"] = "\n\n<%= render 'item' %>", ["item.html"] = "\n<%= x %>" }
    assert.equal(folder .. "/item.html:2: there is no value named 'x'", select(2, pcall(spry.render, "index")))
  end)

  it("may render itself, but not for ever", function()
    assert.equal("3210", render({
      ["index.html"] = "<%= n %><% if n > 0 then %><%= render('index', { n = n - 1 }) %><% end %>",
    }, { n = 3 }))
    local folder = load { ["index.html"] = "<%= render 'index' %>" }
    assert.equal(folder .. "/index.html: there are more than 100 views in each other; does one render itself?",
      select(2, pcall(spry.render, "index")))
  end)
end)

describe("a layout", function()
  local LAYOUT = "<title><%= title %></title><main><%= body %></main>"

  it("is put around a view, and sees what the view knew", function()
    assert.equal("<title>A &amp; B</title><main><p>Ada</p></main>", render({
      ["index.html"] = "<% layout 'layout' title = 'A & B' -%>\n<p><%= name %></p>",
      ["layout.html"] = LAYOUT,
    }, { name = "Ada", title = "old" }))
  end)

  it("may have a layout itself", function()
    assert.equal("(<p>x</p>)", render {
      ["index.html"] = "<% layout 'inner' %>x",
      ["inner.html"] = "<% layout 'outer' %><p><%= body %></p>",
      ["outer.html"] = "(<%= body %>)",
    })
  end)

  it("can be rendered by the handler instead", function()
    load { ["layout.html"] = LAYOUT }
    assert.equal("<title>t</title><main><b></main>",
      spry.render("layout", { title = "t", body = html.raw "<b>" }).body)
    assert.equal("<title>t</title><main>&lt;b&gt;</main>", spry.render("layout", { title = "t", body = "<b>" }).body)
  end)

  it("that is not there, or is its own, is an error", function()
    local folder = load { ["index.html"] = "\n<% layout 'lay' %>", ["own.html"] = "<% layout 'own' %>" }
    local _, message = pcall(spry.render, "index")
    assert.matches("index.html:2: there is no view " .. folder .. "/lay.html", message, 1, true)
    assert.matches("more than 100 views in each other", select(2, pcall(spry.render, "own")))
  end)
end)

describe("the folder of views", function()
  it("is compiled whole, and everything that is wrong is listed", function()
    local folder, found, problems, warnings = load {
      ["a.html"] = "<% if %>", ["b/c.html"] = "\n<%= x", ["b/d.html"] = "fine",
    }
    assert.same({
      folder .. "/a.html:1: unexpected symbol near '%>'",
      folder .. "/b/c.html:2: a tag that begins here has no %>",
    }, problems)
    assert.same({}, warnings)
    assert.is_function(found.templates["b/d"])
  end)

  it("has no views in dotfiles and in files of other types", function()
    local _, found, problems, warnings = load {
      [".a.html"] = "<%", [".git/x.html"] = "<%", ["notes.txt"] = "<%", ["a.html~"] = "<%", ["html"] = "<%",
      ["b/.html"] = "<%", ["x.html/inside.html"] = "y", ["page.amp.html"] = "z",
    }
    assert.same({}, problems)
    assert.same({}, warnings)
    local names = {}
    for name in pairs(found.templates) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "page.amp", "x.html/inside" }, names)
  end)

  it("follows links, but not in circles", function()
    local folder = temp_routes.project { ["views/a.html"] = "a", ["other/b.html"] = "b" }
    assert(uv.fs_symlink(folder .. "/views", folder .. "/views/loop"))
    assert(uv.fs_symlink(folder .. "/other", folder .. "/views/more"))
    assert(uv.fs_symlink("gone", folder .. "/views/gone.html"))
    local found, problems, warnings = views.load(folder .. "/views", true)
    assert.same({}, problems)
    assert.same({ folder .. "/views/loop: is a link to a folder that contains it; it is not followed" }, warnings)
    assert.is_function(found.templates["more/b"])
    assert.is_nil(found.templates["loop/a"])
  end)

  it("need not be there", function()
    local _, problems = views.load("nowhere/views", false)
    assert.same({}, problems)
    assert.error_matches(function() spry.render "index" end, "there is no view nowhere/views/index.html", 1, true)
  end)
end)
