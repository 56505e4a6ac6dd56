local misses = require "sprylua.misses"
local scan = require "sprylua.scan"

-- Which folder's middleware a path runs through when no route takes it.
describe("misses", function()
  local function build(...)
    local names = { ... }
    local function readdir(folder)
      local entries, seen = {}, {}
      for _, file in ipairs(names) do
        local rest = folder == "" and file or file:sub(1, #folder + 1) == folder .. "/" and file:sub(#folder + 2)
        local name = rest and rest:match "^[^/]+"
        if name and not seen[name] then
          seen[name] = true
          entries[#entries + 1] = { name = name, type = rest == name and "file" or "directory" }
        end
      end
      return entries, folder
    end
    local tree = scan.routes(readdir, "routes")
    assert.same({}, tree.problems)
    local _, levels_at = misses.build(tree, nil, { hooks = {} }, function(folder)
      return { { middleware = {}, errors = {}, folder = folder } }
    end)
    return function(path)
      return levels_at(path)[1].folder
    end
  end

  it("always has the root's", function()
    local folder_at = build "index.lua"
    assert.equal("", folder_at "/")
    assert.equal("", folder_at "/a/b/c")
  end)

  it("has one for each folder with middleware or an error file", function()
    local folder_at = build("a/_middleware.lua", "a/b/c/_error.lua", "[t]/_middleware.lua", "d/x.lua")
    assert.equal("a", folder_at "/a")
    assert.equal("a", folder_at "/a/b")
    assert.equal("a/b/c", folder_at "/a/b/c/d")
    assert.equal("[t]", folder_at "/d/x")
    assert.equal("", folder_at "/")
  end)

  it("has none for a group, but for a folder in a group", function()
    local folder_at = build("(g)/_middleware.lua", "(g)/a/_middleware.lua", "b/(h)/_middleware.lua")
    assert.equal("", folder_at "/")
    assert.equal("", folder_at "/b")
    assert.equal("(g)/a", folder_at "/a/x")
  end)

  it("prefers the folder with the fewer groups", function()
    local folder_at = build("(g)/a/_middleware.lua", "a/_middleware.lua")
    assert.equal("a", folder_at "/a/x")
  end)
end)
