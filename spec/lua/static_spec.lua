local response = require "sprylua.response"
local static = require "sprylua.static"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"
local uv = require "luv"

describe("static", function()
  local folder

  before_each(function()
    folder = temp_routes.project {
      ["public/index.html"] = "<p>", ["public/a/b.txt"] = "text", ["public/a/index.html"] = "a",
      ["public/.hidden"] = "x", ["public/.well-known/x"] = "x", ["big"] = ("x"):rep(70000),
    }
  end)

  it("lists what can be served, and a folder's index for the folder", function()
    local paths = {}
    for _, file in ipairs(static.public(folder .. "/public"):list()) do
      paths[#paths + 1] = "/" .. table.concat(file.segments, "/") .. " " .. file.path
    end
    table.sort(paths)
    assert.same({
      "/ index.html", "/.well-known/x .well-known/x", "/a a/index.html", "/a/b.txt a/b.txt",
      "/a/index.html a/index.html", "/index.html index.html",
    }, paths)
  end)

  it("has nothing to say without a folder", function()
    assert.is_nil(static.public(folder .. "/nothing"))
    assert.is_nil(static.public(folder .. "/public/index.html"))
  end)

  it("reads at once outside of a coroutine, and without blocking inside", function()
    local function fill()
      local made = response.Response()
      static.fill(made, folder .. "/public/a/b.txt")
      return made.body
    end
    assert.equal("text", fill())
    assert.equal("text", testing.run(fill))
    -- Whoever resumes the coroutine meanwhile must not be taken for luv's answer.
    local strays = 0
    local timer = uv.new_timer()
    local body = testing.run(function()
      local thread = coroutine.running()
      timer:start(0, 1, function()
        strays = strays + 1
        coroutine.resume(thread)
      end)
      local text
      repeat
        text = fill()
      until strays >= 3
      timer:close()
      return text
    end)
    assert.equal("text", body)
  end)

  it("promises the length of a large file and sends it in pieces", function()
    local made = response.Response()
    static.fill(made, folder .. "/big")
    assert.is_nil(made.body)
    assert.equal(70000, made.length)
    local sizes = {}
    made.stream(function(piece)
      sizes[#sizes + 1] = #piece
      return true
    end)
    assert.same({ 65536, 4464 }, sizes)
    sizes = {}
    made.stream(function(piece)
      sizes[#sizes + 1] = #piece
      return nil, "closed"
    end)
    assert.same({ 65536 }, sizes)
  end)

  it("breaks off when the file became shorter meanwhile", function()
    local made = response.Response()
    static.fill(made, folder .. "/big")
    io.open(folder .. "/big", "w"):close()
    assert.error_matches(function() made.stream(function() return true end) end, "became shorter")
  end)
end)
