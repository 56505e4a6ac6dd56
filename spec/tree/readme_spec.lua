-- What the README shows is code that works: every block that begins with a file's name is put into a project, and the
-- project does what the text says. What the pages of docs/ show loads and answers.

local program = require "spec.support.program"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

local function text_of(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local readme = text_of "README.md"

-- { ["routes/chat.get.lua"] = text, … }
local function blocks()
  local found = {}
  for block in readme:gmatch "```lua\n(.-)```" do
    found[assert(block:match "^%-%- (%S+)\n", "a block without a file's name:\n" .. block)] = block
  end
  return found
end

describe("the README's project", function()
  local folder = temp_routes.project(blocks())

  local function app()
    return testing.app(folder .. "/routes", { config = dofile(folder .. "/sprylua.config.lua") })
  end

  it("has the files that the text speaks of", function()
    local names = {}
    for name in pairs(blocks()) do names[#names + 1] = name end
    table.sort(names)
    assert.same({
      "routes/_error.lua", "routes/_middleware.lua", "routes/chat.get.lua", "routes/feed.get.lua",
      "routes/users/[id].lua", "spec/feed_spec.lua", "sprylua.config.lua",
    }, names)
  end)

  it("echoes in five lines", function()
    local served <close> = app()
    local ws = served:ws "/chat"
    ws:sendText "hi"
    assert.equal("Echo: hi", ws:receive())
  end)

  it("converts parameters, reads a body, and raises errors that become responses", function()
    local served <close> = app()
    assert.same({ id = 7, verbose = "yes" }, served:get("/users/7?verbose=yes"):json())
    assert.equal(404, served:get("/users/seven").status)
    assert.equal(201, served:put("/users/7", { json = { name = "Ada" } }).status)
    assert.equal(400, served:put("/users/7", { body = "{" }).status)
    assert.equal(403, served:get("/users/0").status)
  end)

  it("guards and marks every response in its middleware, and makes errors of one shape", function()
    local served <close> = app()
    assert.equal(401, served:get("//admin/../admin").status)
    local missing = served:get "/nowhere"
    assert.same({ status = 404, path = "/nowhere" }, missing:json())
    assert.is_string(missing.headers:get "x-request-id")
  end)

  it("passes its own spec under `sprylua test`", function()
    local result = program.run({ "test" }, { folder = folder })
    assert.equal(0, result.code, result.out .. result.err)
    assert.matches("2 successes", result.out)
  end)

  it("passes `sprylua check` and is listed by `sprylua routes`", function()
    assert.equal(0, program.run({ "check", "routes" }, { folder = folder }).code)
    assert.matches("/users/:id", program.run({ "routes" }, { folder = folder }).out, 1, true)
  end)
end)

describe("the README", function()
  it("names only files that are there", function()
    for path in readme:gmatch "`(%l+/[%w/_.%-]+%.%l+)`" do
      if not path:find "^middleware/" and not path:find "_name" then
        assert.is_truthy(io.open(path), path .. " is not there")
      end
    end
  end)

  it("shows every command that there is", function()
    for name in program.run({ "-h" }).out:gmatch "\n   (%l+) " do
      assert.is_truthy(readme:find(name, 1, true), "no word of the command " .. name)
    end
  end)

  it("shows the defaults that the server has", function()
    local shown = assert(load(blocks()["sprylua.config.lua"]))()
    local defaults = assert(require("sprylua.config").complete {})
    for group, values in pairs(shown) do
      if type(values) == "table" then
        for name, value in pairs(values) do assert.equal(value, defaults[group][name], group .. "." .. name) end
      else
        assert.equal(values, defaults[group], group)
      end
    end
  end)
end)

describe("the pages of docs/", function()
  -- The routes and the middleware that a page shows; a file that comes a second time begins another project.
  local function projects(text)
    local list = { {} }
    for block in text:gmatch "```lua\n(.-)```" do
      local name = block:match "^%-%- (routes/%S+)\n" or block:match "^%-%- (middleware/%S+)\n"
      if name and list[#list][name] then list[#list + 1] = {} end
      if name then list[#list][name] = block end
    end
    return list
  end

  local function answers(files)
    local app <close> = testing.app(temp_routes.project(files) .. "/routes", {
      config = { secrets = { ("not a secret "):rep(4) } },
    })
    for _, route in ipairs(app.loaded.routes) do
      if not route.path:find ":" then
        local res = app:request(route.method or "GET", route.path, { stream = true }) -- some never end
        assert.is_true(res.status < 500, ("%s: %d %s"):format(route.file, res.status, app.log[1] or ""))
        res:hangup()
        local block = files[route.file:match "routes/.*$"]
        local ws = block:find("event.ws:upgrade", 1, true) and app:ws(route.path)
        if ws then
          app.clock:advance(0.1)
          assert.is_nil(ws.closeCode, ("%s: the session ended: %s"):format(route.file, app.log[#app.log] or ""))
          ws:hangup()
        end
      end
    end
  end

  for page in uv.fs_scandir_next, (assert(uv.fs_scandir "docs")) do
    it("show code that runs: " .. page, function()
      for _, files in ipairs(projects(text_of("docs/" .. page))) do answers(files) end
    end)
  end

  it("are those that the README links to", function()
    local linked, there = {}, {}
    for page in readme:gmatch "%(docs/([%w_]+%.md)%)" do linked[page] = true end
    for page in uv.fs_scandir_next, (assert(uv.fs_scandir "docs")) do there[page] = true end
    assert.same(there, linked)
  end)

  it("have a row for each middleware, and one for each of the headers of secureHeaders", function()
    local page = text_of "docs/middleware.md"
    for name in text_of("lua/sprylua/middleware/init.lua"):gmatch "%-%-%-@field (%a+) fun" do
      assert.is_truthy(page:find("| `" .. name .. "[`(]"), "no row for " .. name)
    end
    for name in text_of("lua/sprylua/middleware/secureHeaders.lua"):gmatch "%-%-%-@field (%a+) string" do
      assert.is_truthy(page:find("`" .. name .. "`", 1, true), "no word of " .. name)
    end
  end)
end)
