local pattern = require "sprylua.pattern"

describe("pattern", function()
  local function read(file)
    local found, problem = pattern.parse(file)
    assert(found, problem)
    return found
  end

  local function segments(file)
    return read(file).segments
  end

  local function refused(file)
    local found, problem = pattern.parse(file)
    assert.is_nil(found)
    return problem
  end

  describe("a file name", function()
    it("is a static path", function()
      assert.same({ "about" }, segments "about.lua")
      assert.same({ "docs", "intro" }, segments "docs/intro.lua")
    end)

    it("index is its folder's path", function()
      assert.same({}, segments "index.lua")
      assert.same({ "docs" }, segments "docs/index.lua")
      assert.same({ "index", "about" }, segments "index/about.lua")
    end)

    it("has a method as its last part", function()
      for suffix, method in pairs { get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE",
        head = "HEAD", options = "OPTIONS" } do
        local found = read("about." .. suffix .. ".lua")
        assert.equal(method, found.method)
        assert.same({ "about" }, found.segments)
      end
      assert.is_nil(read("about.lua").method)
      assert.equal("GET", read("index.get.lua").method)
      assert.equal("/", read("index.get.lua").path)
    end)

    it("keeps other dots: only the seven methods are suffixes", function()
      assert.same({ "about.foo" }, segments "about.foo.lua")
      assert.is_nil(read("about.foo.lua").method)
      assert.same({ "feed.xml" }, segments "feed.xml.get.lua")
      assert.same({ "get" }, segments "get.lua")
    end)

    it("with a method in capitals is a slip of the pen", function()
      assert.matches("lower case: '.get'", refused "about.GET.lua")
    end)
  end)

  describe("a parameter", function()
    it("is a segment in brackets", function()
      assert.same({ "users", { param = "id" } }, segments "users/[id].lua")
      assert.same({ "users", { param = "id" }, "posts" }, segments "users/[id]/posts.lua")
      assert.equal("GET", read("[id].get.lua").method)
      assert.same({ { param = "id" } }, segments "[id].get.lua")
    end)

    it("may be unnamed", function()
      assert.same({ { param = false } }, segments "[_].lua")
    end)

    it("may be optional at the end", function()
      assert.same({ "docs", { param = "section", optional = true } }, segments "docs/[[section]].lua")
      assert.same({ "docs", { param = "section", optional = true } }, segments "docs/[[section]]/index.lua")
    end)

    it("may have a Lua pattern, dots and brackets in it included", function()
      assert.same({ { param = "id", match = "[0-9]+" } }, segments "[id([0-9]+)].lua")
      assert.same({ { param = "v", match = "%d+.%d+" } }, segments "[v(%d+.%d+)].lua")
      assert.same({ { param = "v", match = "[^]%.]+" } }, segments "[v([^]%.]+)].get.lua")
      assert.same({ { param = "x", match = "(a)[)](b)" } }, segments "[x((a)[)](b))].lua")
      assert.same({ { param = "x", match = "%b()%)" } }, segments "[x(%b()%))].lua")
    end)

    it("may stand inside a segment", function()
      assert.same({ { parts = { { param = "name" }, ".", { param = "ext" } } } }, segments "[name].[ext].lua")
      assert.same({ { parts = { "post-", { param = "id" }, ".json" } } }, segments "post-[id].json.lua")
      assert.same({ { parts = { "v", { param = "n", match = "%d+" } } } }, segments "v[n(%d+)].lua")
    end)
  end)

  describe("a rest", function()
    it("is one or more segments", function()
      assert.same({ "x", { rest = "slug", min = 1 } }, segments "x/[...slug].lua")
      assert.same({ "x", { rest = "path", min = 1 } }, segments "x/[...path+].lua")
      assert.same({ "x", { rest = false, min = 1 } }, segments "x/[...].lua")
    end)

    it("in double brackets is zero or more", function()
      assert.same({ "x", { rest = "path", min = 0 } }, segments "x/[[...path]].lua")
    end)

    it("at the root is the fallback, / too, unless it says one or more", function()
      assert.same({ { rest = "slug", min = 0 } }, segments "[...slug].lua")
      assert.same({ { rest = "slug", min = 0 } }, segments "(site)/[...slug].lua")
      assert.same({ { rest = "slug", min = 1 } }, segments "[...slug+].lua")
    end)
  end)

  it("shows paths to people", function()
    assert.equal("/users/:id", read("users/[id].lua").path)
    assert.equal("/:id([0-9]+)", read("[id([0-9]+)].lua").path)
    assert.equal("/docs/:section?", read("docs/[[section]].lua").path)
    assert.equal("/x/:rest+", read("x/[...rest].lua").path)
    assert.equal("/:_*", read("[...].lua").path)
    assert.equal("/post-:id.json", read("post-[id].json.lua").path)
  end)

  describe("a group folder", function()
    it("adds no path", function()
      local found = read "(admin)/x.lua"
      assert.same({ "x" }, found.segments)
      assert.equal("(admin)", found.folder)
    end)

    it("is a folder and has a name", function()
      assert.matches("a group is a folder", refused "(x).lua")
      assert.matches("write it as '%(name%)'", refused "()/x.lua")
      assert.matches("write it as '%(name%)'", refused "(a/x.lua")
    end)
  end)

  it("knows middleware and error files and their methods", function()
    assert.equal("middleware", read("_middleware.lua").kind)
    assert.equal("error", read("_error.lua").kind)
    local found = read "users/[id]/_middleware.post.lua"
    assert.equal("POST", found.method)
    assert.same({ "users", { param = "id" } }, found.segments)
    assert.equal("users/[id]", found.folder)
  end)

  it("lists parameters in order", function()
    assert.same({ "a", "b", "c" }, pattern.names(segments "[a]/[b]-[_]/[...c].lua"))
  end)

  it("says what is wrong with a name", function()
    for file, sentence in pairs {
      ["_x.lua"] = "kept for _middleware.lua and _error.lua",
      ["_lib/x.lua"] = "rename the folder",
      ["_middleware.foo.lua"] = "'.foo' is not a method",
      ["[id.lua"] = "'%[id.*' is not closed with '%]'",
      ["id].lua"] = "']' without a '%['",
      ["[].lua"] = "has no name",
      ["[user-id].lua"] = "letters, digits and '_'",
      ["[1a].lua"] = "begins with no digit",
      ["[a+].lua"] = "'%+' belongs to a rest",
      ["[[...a+]].lua"] = "both one%-or%-more and zero%-or%-more",
      ["[a][b].lua"] = "put a character between",
      ["[[a]]-b.lua"] = "alone between the slashes",
      ["x-[...a].lua"] = "alone between the slashes",
      ["[a]/[a].lua"] = "'a' is there twice",
      ["[a]-[a].lua"] = "'a' is there twice",
      ["[...a]/b.lua"] = "must be the last segment",
      ["[[a]]/b.lua"] = "must be the last segment",
      ["[...a(x)].lua"] = "only a plain parameter takes a pattern",
    } do
      assert.matches(sentence, refused(file))
    end
  end)

  it("knows the router's limits", function()
    local function problem(path)
      return select(2, pattern.parse(path))
    end
    local deep, many = ("a/"):rep(63), ""
    for i = 1, 15 do
      many = many .. ("[p%d]/"):format(i)
    end
    assert.is_nil(problem(deep .. "x.lua"))
    assert.matches("more than 64 segments", problem(deep .. "a/x.lua"))
    assert.is_nil(problem(deep .. "_error.lua"))
    assert.matches("more than 63 segments", problem(deep .. "a/_error.lua"))
    assert.is_nil(problem(many .. "[x].lua"))
    assert.matches("more than 16 parameters", problem(many .. "[x]-[_].lua"))
    assert.matches("more than 15 parameters", problem(many .. "[_]/_middleware.lua"))
    assert.matches("leave out the '%^'", problem "[id(^%d+$)].lua")
  end)
end)
