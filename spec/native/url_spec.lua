-- core.normalize and core.decode: the canonical form of a path (src/proto/url.h), which everything behind the parser sees.
local core = require "sprylua.core"

describe("core.normalize", function()
  local same = {
    { "", "/" }, { "/", "/" }, { "/a", "/a" }, { "/a/b.c", "/a/b.c" }, { "a/b", "/a/b" }, { "a", "/a" },
    -- empty segments
    { "//", "/" }, { "//admin", "/admin" }, { "/a//b", "/a/b" }, { "/a/", "/a" }, { "///a///", "/a" },
    -- dots, above the root too
    { "/.", "/" }, { "/./a/.", "/a" }, { "/..", "/" }, { "/a/..", "/" }, { "/a/../b", "/b" }, { "/../../a", "/a" },
    { "/x/../admin", "/admin" }, { "/a/b/../../c", "/c" }, { "/a/b/c/..", "/a/b" }, { "..", "/" }, { "a/..", "/" },
    { "/a/...", "/a/..." }, { "/.a", "/.a" }, { "/..a", "/..a" }, { "/a/.../..", "/a" },
    -- escapes: decoded once, and before dots are looked at
    { "/%61dmin", "/admin" }, { "/%2e", "/" }, { "/a/%2E%2e/b", "/b" }, { "/a/.%2e", "/" }, { "/%2e%2e%2f", "/..%2F" },
    { "/a%2Fb", "/a%2Fb" }, { "/a%2fb/c", "/a%2Fb/c" }, { "/a%2F..", "/a%2F.." }, { "/a%2Fb/..", "/" },
    { "/%25", "/%25" }, { "/%2561", "/%2561" }, { "/%252e%252e/a", "/%252e%252e/a" }, { "/%252F", "/%252F" },
    { "/%20+%3F%23", "/ +?#" }, { "/%C3%BC", "/ü" }, { "/%ff%FE", "/\xff\xfe" }, { "/ü", "/ü" }, { "/%0d%0a", "/\r\n" },
    { "/%5c..", "/\\.." },
  }
  for _, case in ipairs(same) do
    it(("makes %q of %q"):format(case[2], case[1]), function()
      assert.equal(case[2], core.normalize(case[1]))
    end)
  end

  it("leaves a canonical path as it is", function()
    for _, case in ipairs(same) do assert.equal(case[2], core.normalize(case[2])) end
  end)

  for _, path in ipairs { "/%", "/%4", "/%4/", "/a%zz", "/%g0", "/%0g", "/%%41", "/a%", "/%00", "/a/%00/b", "/a\0b", "/%u0041" } do
    it(("refuses %q"):format(path), function()
      local pathname, message = core.normalize(path)
      assert.is_nil(pathname)
      assert.matches("percent%-escape or a NUL", message)
    end)
  end

  it("takes long paths", function()
    local long = ("/segment"):rep(20000)
    assert.equal(long, core.normalize(long))
    assert.equal("/", core.normalize(long .. ("/.."):rep(20001)))
    assert.equal(("/%2F"):rep(5000), core.normalize(("/%2f"):rep(5000)))
  end)

  it("agrees with a slow and plain way to do it", function()
    local function plain(path)
      local kept = {}
      for segment in (path .. "/"):gmatch "([^/]*)/" do
        segment = segment:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
        if segment == ".." then kept[#kept] = nil
        elseif segment ~= "" and segment ~= "." then kept[#kept + 1] = segment:gsub("[%%/]", { ["%"] = "%25", ["/"] = "%2F" }) end
      end
      return "/" .. table.concat(kept, "/")
    end
    local pieces = { "/", "/", ".", "..", "a", "bc", "%2e", "%2F", "%25", "%41", "é" }
    math.randomseed(7)
    for _ = 1, 5000 do
      local path = {}
      for i = 1, math.random(0, 12) do path[i] = pieces[math.random(#pieces)] end
      path = table.concat(path)
      assert.equal(plain(path), core.normalize(path), path)
      assert.equal(core.normalize(path), plain(plain(path)), path)
    end
  end)

  it("wants a string", function()
    assert.has_error(function() core.normalize() end)
    assert.has_error(function() core.normalize {} end)
  end)
end)

describe("core.decode", function()
  it("decodes escapes, all of them", function()
    assert.equal("", core.decode "")
    assert.equal("a b", core.decode "a%20b")
    assert.equal("ü/\0%", core.decode "%c3%BC%2F%00%25")
    assert.equal("%41", core.decode "%2541")
  end)

  it("reads a plus as a space only where asked", function()
    assert.equal("a+b", core.decode "a+b")
    assert.equal("a b+", core.decode("a+b%2B", true))
  end)

  it("refuses broken escapes", function()
    for _, text in ipairs { "%", "%4", "a%", "%zz", "100%", "%4g", "%%41" } do assert.is_nil(core.decode(text)) end
  end)
end)
