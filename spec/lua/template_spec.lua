local html = require "sprylua.html"
local template = require "sprylua.template"

-- `names` become globals of the template, beside a few of Lua's.
local function render(text, names)
  local env = setmetatable(names or {}, { __index = { ipairs = ipairs, string = string, tostring = tostring } })
  return assert(template.compile(text, "views/x.html"))(env)
end

local function compile_problem(text)
  local compiled, problem = template.compile(text, "views/x.html")
  assert.is_nil(compiled)
  return problem
end

local function render_problem(text, names)
  local ok, problem = pcall(render, text, names)
  assert.is_false(ok)
  return problem
end

describe("a template's text", function()
  for name, text in pairs {
    ["nothing"] = "", ["a line"] = "hello\n", ["quotes and backslashes"] = [[\n "a" 'b' [[c]=] \]],
    ["line breaks of all kinds"] = "\n\r\n\r\n\n\rx\\\ny", ["bytes"] = "\0\1\200\255%d%%",
    ["ends of tags"] = "50%> -%> %%>", ["what looks like code"] = "]] .. os.exit() --[[",
  } do
    it("is written as it is: " .. name, function()
      assert.equal(text, render(text))
    end)
  end

  it("has <%% for the beginning of a tag", function()
    assert.equal("<% x %>", render "<%% x %>")
    assert.equal("<%<%= 1 %>", render "<%%<%%= 1 %>")
    assert.equal("<%1", render "<%%<%= 1 %>")
  end)
end)

describe("<%= %>", function()
  it("escapes", function()
    assert.equal([[<p title="&quot;&#39;">&lt;b&gt;&amp;</p>]],
      render([[<p title="<%= quotes %>"><%= text %></p>]], { quotes = [["']], text = "<b>&" }))
  end)

  it("writes strings, numbers, booleans, and what has a __tostring", function()
    local point = setmetatable({}, { __tostring = function() return "<1,2>" end })
    assert.equal("7 2.5 false true &lt;1,2&gt; ", render("<%= 7 %> <%= 2.5 %> <%= no %> <%= true %> <%= p %> <%= '' %>",
      { no = false, p = point }))
  end)

  it("writes what is HTML already as it is", function()
    assert.equal("<b>", render("<%= body %>", { body = html.raw "<b>" }))
    assert.equal("&lt;i&gt;<b>", render("<%= '<i>' .. body %>", { body = html.raw "<b>" }))
  end)

  it("keeps bytes", function()
    assert.equal("\0&lt;\255", render("<%= x %>", { x = "\0<\255" }))
  end)

  it("takes any expression, over lines, with comments and strings that look like them", function()
    assert.equal("3", render "<%= 1 +\n 2 %>")
    assert.equal("3!", render "<%= 1 + 2 -- a sum %>!")
    assert.equal("3!", render "<%= 1 + --[[ a\nsum ]] 2 --[==[ ] ]] ]==] %>!")
    assert.equal("--", render "<%= '--' %>")
    assert.equal("'--x", render [[<%= "'-".."-x" %>]]:gsub("&#39;", "'"))
    assert.equal("a\\-- b", render [[<%= "a\\-- b" -- c %>]])
    assert.equal("&quot;--x", render [[<%= "\"--x" -- "%>]])
    assert.equal("--[x]]", render "<%= [=[--[x]]]=] -- [[ %>")
    assert.equal("1", render("<%= t[u[1]] -- t[[ %>", { t = { 1 }, u = { 1 } }))
    assert.equal("-1", render "<%= -1 %>")
  end)

  it("writes one value", function()
    assert.equal("a", render("<%= f() %>", { f = function() return "a", "b" end }))
    assert.matches("^views/x.html:1: ", compile_problem "<%= 1, 2 %>")
  end)

  it("evaluates each expression once, in order", function()
    local count = 0
    local function f()
      count = count + 1
      return count
    end
    assert.equal("1-2-3", render("<%= f() %>-<%- f() %>-<%= f() %>", { f = f }))
  end)

  it("raises at a name without a value, with the line and a near name", function()
    assert.equal("views/x.html:3: there is no value named 'usr' (did you mean user?)",
      render_problem("\n\n<p><%= usr %></p>\n", { user = 1, total = 2 }))
    assert.equal("views/x.html:1: there is no value named 'zzz'", render_problem("<%- zzz %>", { user = 1 }))
  end)

  it("raises at any other nil, with what is nil", function()
    assert.equal('views/x.html:2: user.nmae is nil; where it may be missing, write <%= user.nmae or "" %>',
      render_problem("\n<%= user.nmae -- the name %>", { user = {} }))
    assert.matches("^views/x.html:1: nil is nil", render_problem "<%= nil %>")
    assert.matches("^views/x.html:1: f%(%) is nil", render_problem("<%= f() %>", { f = function() end }))
    assert.matches("^views/x.html:1: a%.a%.[a.]*… is nil",
      render_problem("<%= " .. ("a."):rep(300) .. "b %>", { a = setmetatable({}, {
        __index = function(self, key) return key == "a" and self or nil end,
      }) }))
  end)

  it("raises at what has no text", function()
    for _, value in ipairs { {}, print, coroutine.create(print), setmetatable({}, {}) } do
      for _, tag in ipairs { "<%= x %>", "<%- x %>" } do
        assert.equal("views/x.html:1: x is a " .. type(value) .. "; only strings, numbers and booleans can be written",
          render_problem(tag, { x = value }))
      end
    end
  end)
end)

describe("<%- %>", function()
  it("writes without escaping", function()
    assert.equal("<b>&</b> 1 false", render("<%- x %> <%- 1 %> <%- false %>", { x = "<b>&</b>" }))
    assert.equal("<b>", render("<%- x %>", { x = html.raw "<b>" }))
  end)
end)

describe("<% %>", function()
  it("is Lua", function()
    local list = "<% for i, x in ipairs(list) do %><% if x then %><li><%= i %></li><% else %>-<% end %><% end %>"
    assert.equal("<li>1</li>-<li>3</li>", render(list, { list = { true, false, "a" } }))
    assert.equal("012", render "<% local i = 0 repeat %><%= i %><% i = i + 1 until i == 3 %>")
    assert.equal("1", render "<% do local x <const> = 1 %><%= x %><% end %>")
    assert.equal("a", render "a<% do return end %>b")
  end)

  it("may end in a comment", function()
    assert.equal("x\n", render "<% if true then -- always %>x<% end -- if %>\n")
    assert.equal("x", render "<% -- only a comment %>x")
  end)

  it("makes functions that write where they are called", function()
    assert.equal("[a][&lt;]",
      render "<% local function item(x) %>[<%= x %>]<% end item 'a' item '<' %>")
    assert.equal("xx", render("<% twice(function() %>x<% end) %>", {
      twice = function(inner)
        inner()
        inner()
      end,
    }))
  end)

  it("is not mixed up with what stands before and behind it", function()
    assert.equal("1a", render("<%= 1 %><% (f)() %>a", { f = function() end }))
    assert.equal("a", render("<% local g = f %>a<% (g)() %>", { f = function() end }))
  end)

  it("finds an absent name to be nil, so that it can be asked for", function()
    assert.equal("nobody", render "<% if user then %><%= user %><% else %>nobody<% end %>")
  end)

  it("assigns globals of this rendering", function()
    local compiled = assert(template.compile("<% seen = (seen or 0) + 1 %><%= seen %>", "x"))
    assert.equal("1", compiled {})
    assert.equal("1", compiled {})
    assert.is_nil(rawget(_G, "seen"))
  end)
end)

describe("<%# %>", function()
  it("is left out, over lines too", function()
    assert.equal("ab", render "a<%# a <% comment\n\n with = ' signs %>b")
  end)
end)

describe("-%>", function()
  it("takes the line break behind it away", function()
    assert.equal("a1b\nc\n", render "a<% -%>\n<%= 1 -%>\r\nb\n<%# x -%>\n<% -%>c\n")
    assert.equal("1\n", render "<%- 1 -%>\n\n")
    assert.equal("1 \n", render "<%= 1 -%> \n")
    assert.equal("1", render "<%= 1 -%>")
  end)
end)

describe("a template's lines", function()
  it("are those of the Lua code", function()
    for _, before in ipairs {
      "", "a\nb\n\n", "\r\n\r\n", "<%= 1 -%>\n", "<% local a\n= 1 -%>\r\n\r\n", "<%# a\n\nb %>\n", "<%%\n", "\\\n\\n\n",
      "<%= 1 +\n\n1 %>", "<% x = [[\r\n\n]] %>", "<% -- a\r\n-- b\r\n %>", "\r\r<% x = 1 \r %>", "\0\n",
    } do
      local _, count = before:gsub("\n", "")
      local here = ("views/x.html:%d:"):format(count + 1)
      local function at_line(problem)
        assert.equal(here, problem:sub(1, #here), ("%q: %s"):format(before, problem))
      end
      at_line(render_problem(before .. "<%= gone %>\n\n"))
      at_line(render_problem(before .. "<% local x = gone.field %>\n\n"))
      at_line(compile_problem(before .. "<% if %>\n\n"))
      at_line(compile_problem(before .. "<%= 1\n\n"))
    end
  end)

  it("are said when Lua does not understand", function()
    assert.equal("views/x.html:2: 'then' expected near '%>'", compile_problem "\n<% if x %>\n")
    assert.equal("views/x.html:4: 'end' expected (to close 'if' at line 2) near <eof>",
      compile_problem "\n<% if x then %>\n\n")
    assert.equal("views/x.html:1: ')' expected near 'y'", compile_problem "<%= x y %>")
    assert.matches("^views/x.html:1: ", compile_problem "<%= %>")
    assert.matches("^views/x.html:1: ", compile_problem "<%= 'a %>\n'")
    assert.equal("views/x.html:1: <eof> expected near what follows the tag", compile_problem "<% return %>a")
    assert.matches("^views/x.html:%d: unfinished long", compile_problem "<% x = [[ %>\n")
    assert.equal("views/x.html:3: a tag that begins here has no %>", compile_problem "\n\n <% if x\n\n")
  end)

  it("are said with the whole name, however long", function()
    local label = ("folder/"):rep(30) .. "x.html"
    assert.equal(label .. ":2: unexpected symbol near '='", select(2, template.compile("\n<% = %>", label)))
    local _, problem = pcall(assert(template.compile("\n<%= x %>", label)), {})
    assert.equal(label .. ":2: there is no value named 'x'", problem)
  end)
end)

describe("a template", function()
  it("may be very long", function()
    local piece = "<p class=\"a\"><%= x %></p>\n<% if x then %>y<% end %>\n"
    local expected = "<p class=\"a\">1</p>\ny\n"
    local n = 30000
    assert.equal(expected:rep(n), render(piece:rep(n), { x = 1 }))
  end)

  it("may have any number of names and texts", function()
    local pieces, names = {}, {}
    for i = 1, 3000 do
      pieces[i] = ("text %d <%%= name%d %%>\n"):format(i, i)
      names["name" .. i] = i
    end
    local written = render(table.concat(pieces), names)
    assert.matches("text 3000 3000\n$", written)
    local inside = "<% local function all() %>" .. table.concat(pieces) .. "<% end all() %>"
    assert.equal(written, render(inside, names))
  end)

  it("is not read as compiled code", function()
    assert.equal(string.dump(function() end), render(string.dump(function() end)))
  end)
end)
