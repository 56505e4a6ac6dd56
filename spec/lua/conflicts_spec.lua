local conflicts = require "sprylua.conflicts"
local pattern = require "sprylua.pattern"

describe("conflicts", function()
  local function find(...)
    local routes, others = {}, {}
    for _, file in ipairs { ... } do
      local found = assert(pattern.parse(file))
      table.insert(found.kind == "route" and routes or others, found)
    end
    return conflicts.find(routes, others)
  end

  it("has nothing against routes that differ", function()
    assert.same({}, find("index.lua", "about.lua", "about.get.lua", "about.post.lua", "users/[id].lua", "users/me.lua",
      "users/[id([0-9]+)].lua", "users/[[id]].lua", "users/[...rest].lua", "docs/[a]-[b].lua", "docs/[page].lua"))
  end)

  it("names all files of one path and method", function()
    local problems = find("about.lua", "about/index.lua", "(site)/about.lua", "other.lua")
    assert.same({ "about.lua, about/index.lua, (site)/about.lua: all of them answer /about; keep one" }, problems)
    problems = find("a.get.lua", "(x)/a.get.lua", "a.post.lua")
    assert.same({ "a.get.lua, (x)/a.get.lua: all of them answer GET /a; keep one" }, problems)
  end)

  it("names one place with two parameter names, whatever the methods", function()
    for _, files in ipairs {
      { "users/[id].lua", "users/[name].lua" },
      { "users/[id].get.lua", "users/[name].post.lua" },
      { "users/[id].lua", "users/[name]/posts.lua" },
      { "users/[id]/a.lua", "users/[name]/_middleware.lua" },
      { "(a)/[...x+].lua", "(b)/[...y+].get.lua" },
      { "p-[a].lua", "p-[b].get.lua" },
    } do
      local problems = find(files[1], files[2])
      local text = table.concat(problems, "\n")
      assert.matches("is called", text)
      assert.is_truthy(text:find(files[1], 1, true))
      assert.is_truthy(text:find(files[2], 1, true))
    end
  end)

  it("says a place once, however many files are below it", function()
    local problems = find("users/[id]/a.lua", "users/[id]/b.lua", "users/[name]/c.lua", "users/[name]/d.lua")
    assert.equal(1, #problems)
    assert.matches("'id' and 'name'", problems[1])
  end)
end)
