local precompressed = require "sprylua.precompressed"

describe("precompressed", function()
  local files, looks

  local function look(path)
    looks = looks + 1
    return files[path]
  end

  local function add(path, modified)
    files[path] = { path = path, modified = modified or 100 }
    return files[path]
  end

  local function choose(accepted, original)
    local function asked(name) return name == "accept-encoding" and accepted or nil end
    local chosen, coding, varies = precompressed.choose(original or add "a.js", look, asked)
    return chosen.path, coding, varies
  end

  before_each(function()
    files, looks = {}, 0
  end)

  it("takes the coding that the client likes best", function()
    add "a.js.gz" add "a.js.br" add "a.js.zst"
    assert.same({ "a.js.br", "br", true }, { choose "gzip, br, zstd" })
    assert.same({ "a.js.zst", "zstd", true }, { choose "gzip, zstd" })
    assert.same({ "a.js.gz", "gzip", true }, { choose "gzip, br;q=0.5" })
    assert.same({ "a.js.br", "br", true }, { choose "identity;q=0, *" })
  end)

  it("sends the file itself to all others, who may get something else elsewhere", function()
    add "a.js.gz"
    for _, accepted in ipairs { "br", "gzip;q=0", "", "identity, gzip;q=0.1", "identity;q=0" } do
      assert.same({ "a.js", nil, true }, { choose(accepted) })
    end
    assert.same({ "a.js", nil, true }, { choose(nil) })
  end)

  it("varies by nothing where there is nothing beside", function()
    assert.same({ "a.js", nil, false }, { choose "gzip, br" })
  end)

  it("passes over what is older than the file", function()
    add("a.js.br", 99) add("a.js.gz", 100)
    assert.same({ "a.js.gz", "gzip", true }, { choose "gzip, br" })
  end)

  it("looks for what is not there once a second, and each time for what is", function()
    local original = add "a.js"
    local now = os.time
    finally(function() os.time = now end) -- luacheck: ignore
    local time = 1000
    os.time = function() return time end -- luacheck: ignore
    choose("gzip", original)
    choose("gzip", original)
    assert.equal(3, looks)
    add "a.js.gz"
    assert.same({ "a.js", nil, false }, { choose("gzip", original) })
    time = 1001
    assert.same({ "a.js.gz", "gzip", true }, { choose("gzip", original) })
    files["a.js.gz"] = nil
    assert.same({ "a.js", nil, true }, { choose("gzip", original) })
  end)
end)
