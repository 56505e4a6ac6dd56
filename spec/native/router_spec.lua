-- core.router: which route a method and a canonical path lead to (src/core/router.h, src/lua/router.h).
local core = require "sprylua.core"

-- A pattern as the specs below write it. ":id" parameter, ":id<%d+>" constrained, ":id?" optional, "*slug" rest of one
-- or more, "**slug" of zero or more, ":" "*" "**" unnamed; "{post-|:id|.json}" embedded.
local function parameter(text)
  local name, match = text:match "^:([%w_]*)<(.+)>$"
  if name then return { param = name ~= "" and name, match = match } end
  name = text:match "^:([%w_]*)$"
  return name and { param = name ~= "" and name }
end

local function segment(text)
  local inside = text:match "^{(.+)}$"
  if inside then
    local parts = {}
    for part in inside:gmatch "[^|]+" do parts[#parts + 1] = parameter(part) or part end
    return { parts = parts }
  end
  local optional = text:match "^:([%w_]*)%?$"
  if optional then return { param = optional, optional = true } end
  local stars, rest = text:match "^(%*%*?)([%w_]*)$"
  if stars then return { rest = rest ~= "" and rest, min = 2 - #stars } end
  return parameter(text) or text
end

local function route(line)
  local method, path = line:match "^(%u*) ?(/.*)$"
  local segments = {}
  for text in path:gmatch "[^/]+" do segments[#segments + 1] = segment(text) end
  return { method = method ~= "" and method or nil, segments = segments, entry = line }
end

local function router(lines)
  local list = {}
  for i, line in ipairs(lines) do list[i] = route(line) end
  return core.router(list)
end

-- The same routes in both orders must answer the same: specificity is not the order of adding.
local function check(lines, cases)
  local backwards = {}
  for i = #lines, 1, -1 do backwards[#backwards + 1] = lines[i] end
  for _, r in ipairs { router(lines), router(backwards) } do
    for _, case in ipairs(cases) do
      local method, path = case[1]:match "^(%u*) ?(/.*)$"
      local entry, params = r:match(method ~= "" and method or "GET", path)
      assert.same({ case[2], case[3] }, { entry, params }, case[1])
    end
  end
end

describe("core.router", function()
  it("matches static paths", function()
    check({ "/", "/about", "/about/us" }, {
      { "/", "/", {} }, { "/about", "/about", {} }, { "/about/us", "/about/us", {} },
      { "/abou" }, { "/about/them" }, { "/about/us/all" }, { "/About" },
    })
  end)

  it("matches parameters and decodes their values", function()
    check({ "/users/:id", "/users/:id/posts/:post", "/x/:" }, {
      { "/users/7", "/users/:id", { id = "7" } },
      { "/users/7/posts/a b", "/users/:id/posts/:post", { id = "7", post = "a b" } },
      { "/users/a%2Fb%25", "/users/:id", { id = "a/b%" } },
      { "/x/y", "/x/:", {} }, { "/users" }, { "/users/7/posts" }, { "/x" },
    })
  end)

  it("prefers static, constrained, embedded, parameter, optional, rest", function()
    local all = { "/a/b", "/a/:n<%l>", "/a/{b|:e}", "/a/:p", "/a/:o?", "/a/*r", "/a/**z" }
    check(all, {
      { "/a/b", "/a/b", {} }, { "/a/c", "/a/:n<%l>", { n = "c" } }, { "/a/bc", "/a/{b|:e}", { e = "c" } },
      { "/a/cc", "/a/:p", { p = "cc" } }, { "/a/b/c", "/a/*r", { r = "b/c" } }, { "/a", "/a/:o?", {} },
    })
    check({ "/a/:o?", "/a/*r", "/a/**z" }, {
      { "/a", "/a/:o?", {} }, { "/a/b", "/a/:o?", { o = "b" } }, { "/a/b/c", "/a/*r", { r = "b/c" } },
    })
    check({ "/a/*r", "/a/**z" }, { { "/a", "/a/**z", { z = "" } }, { "/a/b", "/a/*r", { r = "b" } } })
    check({ "/a", "/a/:o?", "/a/**z" }, { { "/a", "/a", {} }, { "/a/b", "/a/:o?", { o = "b" } } })
  end)

  it("goes back when what follows does not match", function()
    check({ "/a/b/c", "/a/:x/d", "/:y/b/e", "/*rest" }, {
      { "/a/b/c", "/a/b/c", {} }, { "/a/b/d", "/a/:x/d", { x = "b" } }, { "/a/b/e", "/:y/b/e", { y = "a" } },
      { "/a/b/f", "/*rest", { rest = "a/b/f" } }, { "/a", "/*rest", { rest = "a" } }, { "/" },
    })
    check({ "/:a<%d+>/x", "/{1|:b}/y", "/:c/z" }, {
      { "/12/x", "/:a<%d+>/x", { a = "12" } }, { "/12/y", "/{1|:b}/y", { b = "2" } },
      { "/12/z", "/:c/z", { c = "12" } },
    })
  end)

  it("keeps encoded slashes apart in a rest", function()
    check({ "/f/**path" }, {
      { "/f", "/f/**path", { path = "" } }, { "/f/a/b", "/f/**path", { path = "a/b" } },
      { "/f/a%2Fb/c%25", "/f/**path", { path = "a%2Fb/c%" } },
    })
    check({ "/**", "/g/*" }, { { "/", "/**", {} }, { "/g/a/b", "/g/*", {} }, { "/g", "/**", {} } })
  end)

  it("compares static text decoded", function()
    local r = core.router {
      { segments = { "a/b" }, entry = 1 }, { segments = { "100%" }, entry = 2 }, { segments = { "%2F" }, entry = 3 },
      { segments = { "ü b" }, entry = 4 },
    }
    assert.equal(1, (r:match("GET", "/a%2Fb")))
    assert.equal(2, (r:match("GET", "/100%25")))
    assert.equal(3, (r:match("GET", "/%252F")))
    assert.equal(4, (r:match("GET", "/ü b")))
    assert.is_nil(r:match("GET", "/a/b"))
  end)

  describe("constraints", function()
    it("are whole Lua patterns", function()
      check({ "/:id<%d+>", "/:word<%l%l>", "/:any" }, {
        { "/42", "/:id<%d+>", { id = "42" } }, { "/ff", "/:word<%l%l>", { word = "ff" } },
        { "/42a", "/:any", { any = "42a" } }, { "/a42", "/:any", { any = "a42" } },
      })
      check({ "/:a<(%l)%1>", "/:b<[%]^-]+>", "/:c<%b()>", "/:d<x?y*z->" }, {
        { "/oo", "/:a<(%l)%1>", { a = "oo" } }, { "/ab" }, { "/]^", "/:b<[%]^-]+>", { b = "]^" } },
        { "/(a)", "/:c<%b()>", { c = "(a)" } }, { "/xyyz", "/:d<x?y*z->", { d = "xyyz" } },
      })
    end)

    it("see the decoded value", function()
      check({ "/:path<%l%p%l>", "/:percent<%%>" }, {
        { "/a%2Fb", "/:path<%l%p%l>", { path = "a/b" } }, { "/%25", "/:percent<%%>", { percent = "%" } },
      })
    end)

    it("are tried in the order of adding", function()
      assert.equal("/:a<%d+>", (router({ "/:a<%d+>", "/:b<%x+>" }):match("GET", "/1")))
      assert.equal("/:b<%x+>", (router({ "/:b<%x+>", "/:a<%d+>" }):match("GET", "/1")))
    end)

    it("that raise do not match", function()
      local r = router { "/:a<" .. ("a?"):rep(300) .. ("a"):rep(300) .. ">", "/:b" }
      assert.equal("/:b", (r:match("GET", "/" .. ("b"):rep(400))))
      r = router { "/:a<(%1)>", "/:b" } -- refers to the capture it is in
      assert.equal("/:b", (r:match("GET", "/x")))
    end)

    it("that are malformed are refused when the router is made", function()
      for pattern, message in pairs {
        ["[0-9"] = "']' is missing", ["%"] = "ends with '%%'", ["a%"] = "ends with '%%'", ["(a"] = "not closed",
        ["a)"] = "no '%('",
        ["%f"] = "lacks its '%['", ["%ba"] = "two characters", ["%1"] = "capture", ["^a"] = "anchored",
        ["a$"] = "anchored",
        ["[%"] = "']' is missing", ["[^]"] = "']' is missing", ["[]"] = "']' is missing",
        [("()"):rep(33)] = "32 captures",
      } do
        assert.error_matches(function()
          core.router { { segments = { { param = "x", match = pattern } }, entry = 1 } }
        end, "route 1: malformed pattern .*" .. message, nil, nil, pattern)
      end
      for _, pattern in ipairs { "[]]", "[^]]", "[%]]", "%$", "a$b", "%f[%a]a", "%b()", "(()a)", "[a-]", "", "." } do
        core.router { { segments = { { param = "x", match = pattern } }, entry = 1 } }
      end
    end)
  end)

  describe("embedded segments", function()
    it("are greedy from the left", function()
      check({ "/{:name|.|:ext}", "/p/{post-|:id|.json}", "/q/{:a|-|:b|-|:c}", "/r/{:a|x}", "/s/{x|:a}" }, {
        { "/a.b.c", "/{:name|.|:ext}", { name = "a.b", ext = "c" } }, { "/a." }, { "/.a" }, { "/." }, { "/ab" },
        { "/a..b", "/{:name|.|:ext}", { name = "a.", ext = "b" } },
        { "/p/post-1.json", "/p/{post-|:id|.json}", { id = "1" } }, { "/p/post-.json" },
        { "/p/post-.json.json", "/p/{post-|:id|.json}", { id = ".json" } }, { "/p/post-1.jso" },
        { "/q/1-2-3-4", "/q/{:a|-|:b|-|:c}", { a = "1-2", b = "3", c = "4" } }, { "/q/1-2" }, { "/q/1--3" },
        { "/q/-----", "/q/{:a|-|:b|-|:c}", { a = "-", b = "-", c = "-" } },
        { "/r/xxx", "/r/{:a|x}", { a = "xx" } }, { "/r/x" }, { "/s/xxx", "/s/{x|:a}", { a = "xx" } }, { "/s/x" },
      })
    end)

    it("go back inside the segment for constraints", function()
      check({ "/{:a|-|:b<%d+>}", "/r/{:a<%l+>|.|:b}", "/s/{:a<%d+>|x|:b<x+>}" }, {
        { "/a-b-1", "/{:a|-|:b<%d+>}", { a = "a-b", b = "1" } }, { "/a-1-b" },
        { "/r/a.b.c", "/r/{:a<%l+>|.|:b}", { a = "a", b = "b.c" } }, { "/r/A.b" },
        { "/s/1xxx", "/s/{:a<%d+>|x|:b<x+>}", { a = "1", b = "xx" } },
      })
    end)

    it("prefer more literal bytes", function()
      check({ "/{:name|.|:ext}", "/{:name|.json}", "/{post-|:id|.json}" }, {
        { "/post-1.json", "/{post-|:id|.json}", { id = "1" } }, { "/a.json", "/{:name|.json}", { name = "a" } },
        { "/a.js", "/{:name|.|:ext}", { name = "a", ext = "js" } },
      })
    end)

    it("never cut an escape in two", function()
      check({ "/{:a|2|:b}", "/p/{:a|F}", "/q/{%|:a}", "/r/{:a|%|:b}", "/s/{:a|5|:b}" }, {
        { "/x%2Fy" }, { "/x%252y", "/{:a|2|:b}", { a = "x%", b = "y" } }, { "/p/x%2F" }, { "/q/%2F" },
        { "/q/%25x", "/q/{%|:a}", { a = "x" } }, { "/r/a%25%25b", "/r/{:a|%|:b}", { a = "a%", b = "b" } },
        { "/s/%25x" }, { "/s/%255x", "/s/{:a|5|:b}", { a = "%", b = "x" } },
      })
    end)

    it("cost little on hostile paths", function()
      local r = router { "/{:a|-|:b|-|:c|-|:d|.x}", "/c/{:a<%d+>|-|:b<%d+>|-|:c<%d+>|-|:d<%l>}" }
      local before = os.clock()
      for _ = 1, 20 do
        assert.is_nil(r:match("GET", "/" .. ("-"):rep(8000)))
        assert.is_nil(r:match("GET", "/" .. ("-"):rep(8000) .. "."))
        assert.is_nil(r:match("GET", "/c/" .. ("1-"):rep(4000)))
      end
      assert.is_true(os.clock() - before < 2)
    end)
  end)

  describe("methods", function()
    local r = router {
      "GET /a", "POST /a", "/any", "HEAD /h", "GET /h", "DELETE /:x", "PUT /*rest", "GET /only", "PATCH /o",
      "OPTIONS /o",
    }
    local function match(line)
      local method, path = line:match "(%S+) (.*)"
      local entry, more = r:match(method, path)
      if entry then return entry end
      return more or 404
    end

    it("lead to the route for them", function()
      assert.equal("GET /a", match "GET /a")
      assert.equal("POST /a", match "POST /a")
      for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "x" } do
        assert.equal("/any", match(method .. " /any"))
      end
    end)

    it("HEAD falls back to GET", function()
      assert.equal("GET /a", match "HEAD /a")
      assert.equal("HEAD /h", match "HEAD /h")
    end)

    it("not taken there go on to less specific routes", function()
      assert.equal("DELETE /:x", match "DELETE /a")
      assert.equal("PUT /*rest", match "PUT /a")
      assert.equal("PUT /*rest", match "PUT /b/c")
    end)

    it("nobody takes get the union of those taken", function()
      assert.equal("GET, HEAD, POST, PUT, DELETE, OPTIONS", match "PATCH /a")
      assert.equal("GET, HEAD, POST, PUT, DELETE, OPTIONS", match "OPTIONS /a")
      assert.equal("GET, HEAD, PUT, DELETE, OPTIONS", match "PROPFIND /only")
      assert.equal("PUT, OPTIONS", match "GET /b/c")
      assert.equal("PUT, PATCH, DELETE, OPTIONS", match "GET /o")
      assert.equal("PATCH, OPTIONS", (select(2, router({ "PATCH /p" }):match("get", "/p"))))
      assert.equal(404, match "GET /")
    end)

    it("everything has the least claim at one place", function()
      check({ "/a", "POST /a" }, { { "POST /a", "POST /a", {} }, { "GET /a", "/a", {} } })
      check({ "GET /a", "/a" }, { { "HEAD /a", "GET /a", {} }, { "PUT /a", "/a", {} } })
    end)

    it("of one shape may name parameters differently", function()
      check({ "GET /:id/x", "POST /:name/x" },
        { { "GET /1/x", "GET /:id/x", { id = "1" } }, { "POST /1/x", "POST /:name/x", { name = "1" } } })
    end)
  end)

  it("keeps any value as an entry", function()
    local f = function() end
    local r = core.router { { segments = {}, entry = f }, { segments = { "x" }, entry = false } }
    assert.equal(f, (r:match("GET", "/")))
    assert.is_false((r:match("GET", "/x")))
  end)

  it("does not match what is no path", function()
    local r = router { "/**" }
    for _, path in ipairs { "", "*", "a", "//", "//a" } do assert.is_nil(r:match("GET", path)) end
  end)

  it("is as quick with many routes", function()
    local lines = {}
    for i = 1, 10000 do lines[i] = ("GET /section%d/item%d/:id"):format(i % 100, i) end
    local r = router(lines)
    for i = 1, 10000, 97 do
      local entry, params = r:match("GET", ("/section%d/item%d/x"):format(i % 100, i))
      assert.equal(lines[i], entry)
      assert.same({ id = "x" }, params)
    end
  end)

  it("takes as many segments and parameters as it says", function()
    local deep = ("/s"):rep(64)
    check({ deep }, { { deep, deep, {} }, { deep .. "/s" } })
    assert.has_error(function() router { deep .. "/s" } end, "core.router: route 1 has more than 64 segments")
    local params = ("/:p"):rep(16)
    check({ params, "/**" }, { { ("/v"):rep(16), params, { p = "v" } }, { ("/v"):rep(17), "/**", {} } })
    assert.has_error(function() router { params .. "/:p" } end, "core.router: route 1 has more than 16 parameters")
    check({ "/**r" }, { { ("/v"):rep(5000), "/**r", { r = ("v/"):rep(5000):sub(1, -2) } } })
  end)

  describe("refuses", function()
    local nothing = {}
    for name, case in pairs {
      ["a list that is none"] = { nil, "table expected" },
      ["a route that is none"] = { { 1 }, "route 1 is no table" },
      ["no segments"] = { { { entry = 1 } }, "segments must be a table" },
      ["no entry"] = { { { segments = nothing } }, "no entry" },
      ["an unknown method"] = { { { method = "BREW", segments = nothing, entry = 1 } }, "method must be" },
      ["a number for a segment"] = { { { segments = { 1 }, entry = 1 } }, "segment is a string or a table" },
      ["a segment without name"] = { { { segments = { {} }, entry = 1 } }, "param must be a name or false" },
      ["an odd name"] = { { { segments = { { rest = true } }, entry = 1 } }, "rest must be a name or false" },
      ["an odd min"] = { { { segments = { { rest = "r", min = 2 } }, entry = 1 } }, "min must be 0 or 1" },
      ["a match that is no pattern"] = { { { segments = { { param = "p", match = 1 } }, entry = 1 } },
      "match must be" },
      ["a constrained optional"] = { { { segments = { { param = "p", match = "a", optional = true } }, entry = 1 } },
      "takes no match" },
      ["odd parts"] = { { { segments = { { parts = { 1 } } }, entry = 1 } }, "a part is" },
      ["parts without parameter"] = { { { segments = { { parts = { "a" } } }, entry = 1 } }, "can match no path" },
      ["neighbouring parameters"] = { { { segments = { { parts = { { param = "a" }, { param = "b" } } } },
      entry = 1 } }, "alternate" },
      ["too many parts"] = { { { segments = { { parts = table.pack(("x"):rep(100):byte(1, -1)) } }, entry = 1 } },
      "too many parts" },
      ["an empty segment"] = { { { segments = { "" }, entry = 1 } }, "can match no path" },
      ["a dot segment"] = { { { segments = { "a", ".." }, entry = 1 } }, "can match no path" },
      ["a rest that is not last"] = { { { segments = { { rest = "r" }, "a" }, entry = 1 } }, "not last" },
      ["an optional that is not last"] = { { { segments = { { param = "p", optional = true }, "a" }, entry = 1 } },
      "not last" },
    } do
      it(name, function()
        assert.error_matches(function() core.router(case[1]) end, case[2])
        collectgarbage()
      end)
    end

    it("duplicates, and says which", function()
      for _, pair in ipairs {
        { "GET /a", "GET /a" }, { "/a", "/a" }, { "/:a", "/:b" }, { "/:a<%d>", "/:b<%d>" }, { "/{x|:a}", "/{x|:b}" },
        { "/:a?", "/:b?" }, { "/*a", "/*b" }, { "/**a", "/**b" }, { "/", "/" },
      } do
        assert.has_error(function() router { "/other", pair[1], pair[2] } end, "core.router: route 3 is there already")
      end
      router { "/:a", "/:a<%d>", "/:a<%l>", "/{x|:a}", "/{y|:a}", "/{x|:a<%d>}", "/:a?", "/*a", "/**a", "GET /:b" }
    end)
  end)

  it("is refused as another kind of value", function()
    local r = router { "/" }
    assert.has_error(function() r.match({}, "GET", "/") end)
    assert.has_error(function() r.match(io.stdout, "GET", "/") end)
    assert.has_error(function() r:match("GET") end)
    getmetatable(r).__gc(r)
    assert.error_matches(function() r:match("GET", "/") end, "closed")
  end)
end)
