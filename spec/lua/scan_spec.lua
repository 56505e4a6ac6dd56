local scan = require "sprylua.scan"

-- A folder as a table: a name is true for a file, a table for a folder, a string for something else.
local function disk(tree)
  return function(folder)
    local here = tree
    for name in folder:gmatch("[^/]+") do
      here = here[name]
    end
    local entries = {}
    for name, what in pairs(here) do
      local kind = what == true and "file" or type(what) == "table" and "directory" or what or "other"
      entries[#entries + 1] = { name = name, type = kind }
    end
    return entries, tostring(here)
  end
end

local function files(list)
  local out = {}
  for i, found in ipairs(list or {}) do
    out[i] = found.file
  end
  return out
end

describe("scan", function()
  describe("routes", function()
    it("finds routes, middleware and error files, in file-name order", function()
      local tree = scan.routes(disk {
        ["index.lua"] = true,
        ["_error.lua"] = true,
        users = { ["[id].get.lua"] = true, ["_middleware.lua"] = true, posts = { ["index.lua"] = true } },
        ["(admin)"] = { ["x.lua"] = true },
      }, "routes")
      assert.same({}, tree.problems)
      assert.same({ "(admin)/x.lua", "index.lua", "users/[id].get.lua", "users/posts/index.lua" }, files(tree.routes))
      assert.same({ "users/_middleware.lua" }, files(tree.middleware.users))
      assert.same({ "_error.lua" }, files(tree.errors[""]))
      assert.same({ "", "users" }, tree.folders)
      assert.equal("routes/users/[id].get.lua", tree.routes[3].label)
    end)

    it("puts the general middleware outside, the general error file outside", function()
      local tree = scan.routes(disk {
        ["_middleware.post.lua"] = true, ["_middleware.lua"] = true, ["_middleware.get.lua"] = true,
        ["_error.post.lua"] = true, ["_error.lua"] = true, ["_error.get.lua"] = true,
      }, "routes")
      assert.equal("_middleware.lua", tree.middleware[""][1].file)
      assert.equal("_error.lua", tree.errors[""][3].file)
      assert.equal(3, #tree.middleware[""])
    end)

    it("collects every problem, and a bad folder only once", function()
      local tree = scan.routes(disk {
        ["[id.lua"] = true, ["_x.lua"] = true, _lib = { ["a.lua"] = true, ["b.lua"] = true }, ["ok.lua"] = true,
      }, "app/routes")
      assert.equal(3, #tree.problems)
      local text = table.concat(tree.problems, "\n")
      for _, file in ipairs { "app/routes/[id.lua: ", "app/routes/_x.lua: ", "app/routes/_lib: " } do
        assert.is_truthy(text:find(file, 1, true), file)
      end
      assert.same({ "ok.lua" }, files(tree.routes))
    end)

    it("warns of what is no Lua file, and keeps quiet about dotfiles", function()
      local tree = scan.routes(disk {
        ["README.md"] = true, [".DS_Store"] = true, [".git"] = { ["x.lua"] = true }, socket = "a socket",
      }, "routes")
      assert.same({}, tree.routes)
      assert.same({ "routes/README.md: is no .lua file, so it is ignored",
        "routes/socket: is no .lua file, so it is ignored" }, tree.warnings)
    end)

    it("does not follow a link round in a circle", function()
      local root = { ["index.lua"] = true, a = { ["b.lua"] = true } }
      root.a.loop = root
      local tree = scan.routes(disk { top = root }, "routes")
      assert.same({ "top/a/b.lua", "top/index.lua" }, files(tree.routes))
      assert.matches("top/a/loop: is a link to a folder that contains it", tree.warnings[1])
    end)

    it("warns of a folder that cannot be read", function()
      local tree = scan.routes(function(folder)
        if folder == "" then
          return { { name = "secret", type = "directory" } }, "1"
        end
        return nil, "EACCES"
      end, "routes")
      assert.matches("routes/secret: cannot be read: EACCES", tree.warnings[1])
    end)
  end)

  describe("middleware", function()
    it("orders by number", function()
      local list, problems = scan.middleware(disk {
        ["10_b.lua"] = true, ["02_z.lua"] = true, ["02_a.post.lua"] = true, ["100_last.lua"] = true,
      }, "middleware")
      assert.same({}, problems)
      assert.same({ "02_a.post.lua", "02_z.lua", "10_b.lua", "100_last.lua" }, files(list))
      assert.equal("POST", list[1].method)
      assert.is_nil(list[2].method)
    end)

    it("says how a name must be", function()
      local list, problems, warnings = scan.middleware(disk {
        ["auth.lua"] = true, ["10_log.txt"] = true, ["20_x.foo.lua"] = true, ["30_.lua"] = true, ["README.md"] = true,
      }, "middleware")
      assert.same({}, list)
      assert.equal(4, #problems)
      local text = table.concat(problems, "\n")
      assert.matches("middleware/auth.lua: begin its name with a number that says its turn, such as 10_auth.lua", text)
      assert.matches("middleware/10_log.txt: a middleware's name ends in .lua", text)
      assert.matches("middleware/20_x.foo.lua: '.foo' is not a method", text)
      assert.same({ "middleware/README.md: is no .lua file, so it is ignored" }, warnings)
    end)

    it("says that its files lie side by side, and where a link leads", function()
      local list, problems, warnings = scan.middleware(disk {
        ["10_auth"] = { ["10_x.lua"] = true }, ["20_gone.lua"] = "broken",
      }, "middleware")
      table.sort(warnings)
      assert.same({ {}, {} }, { list, problems })
      assert.same({
        "middleware/10_auth: is a folder, so it is ignored: middleware files lie directly in middleware/",
        "middleware/20_gone.lua: is a link to something that is not there, so it is ignored",
      }, warnings)
    end)
  end)

  it("reads the real disk, links included", function()
    local uv = require "luv"
    local root = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/sprylua-scan-XXXXXX"))
    assert(uv.fs_mkdir(root .. "/users", 493))
    io.open(root .. "/users/[id].lua", "w"):close()
    assert(uv.fs_symlink("users", root .. "/people"))
    assert(uv.fs_symlink("..", root .. "/users/up"))
    assert(uv.fs_symlink("nowhere", root .. "/broken.lua"))
    local tree = scan.routes(scan.readdir(root), "routes")
    for _, path in ipairs { "/users/[id].lua", "/users/up", "/people", "/broken.lua" } do
      uv.fs_unlink(root .. path)
    end
    uv.fs_rmdir(root .. "/users")
    uv.fs_rmdir(root)
    assert.is_true(#tree.routes >= 2)
    assert.equal("people/[id].lua", tree.routes[1].file)
    local text = table.concat(tree.warnings, "\n")
    assert.matches("broken.lua: is a link to something that is not there", text)
    assert.matches("up: is a link to a folder that contains it", text)
  end)

  it("leaves nothing behind, however many files there are and however often it reads", function()
    local uv = require "luv"
    local root = assert(uv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/sprylua-scan-XXXXXX"))
    local paths = {}
    for i = 1, 600 do
      paths[i] = ("%s/%03d.lua"):format(root, i)
      io.open(paths[i], "w"):close()
    end
    local readdir = scan.readdir(root)
    local function count()
      collectgarbage()
      collectgarbage()
      local n = 0
      for _ in pairs(debug.getregistry()) do n = n + 1 end
      return n
    end
    local found = readdir ""
    local before = count()
    for _ = 1, 20 do
      readdir ""
      readdir "nowhere"
    end
    local after = count()
    for _, file in ipairs(paths) do os.remove(file) end
    uv.fs_rmdir(root)
    assert.equal(600, #found)
    assert.is_true(after - before < 5, ("%d entries more"):format(after - before))
  end)
end)
