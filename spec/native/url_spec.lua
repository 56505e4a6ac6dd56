-- core.normalize and core.decode: the canonical form of a path (src/proto/url.h), which all behind the parser see.
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

  for _,
    path in ipairs { "/%", "/%4", "/%4/", "/a%zz", "/%g0", "/%0g", "/%%41", "/a%", "/%00", "/a/%00/b", "/a\0b",
    "/%u0041" } do
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
        elseif segment ~= "" and segment ~= "." then kept[#kept + 1] = segment:gsub("[%%/]",
          { ["%"] = "%25", ["/"] = "%2F" }) end
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

-- The forms of a request target and the syntax of Host, as a request sees them: through an in-memory connection.
describe("a request target", function()
  local app, peer

  before_each(function()
    local all = core.router { { segments = { { rest = false, min = 0 } }, entry = function(event)
      return ("[%s][%s][%s]"):format(event.pathname, core.request.query(event) or "none", core.request.host(event))
    end } }
    app = core.app {
      routes = all, misses = all, response = {}, convert = tostring, failed = tostring, sessionFailed = print,
    }
    peer = core.connect(app)
  end)

  after_each(function()
    peer:hangup()
    app:stop()
    app:settle()
  end)

  local function ask(target, host, method)
    peer:feed(("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"):format(method or "GET", target, host or "h"))
    local answer = peer:take()
    return tonumber(answer:match "^HTTP/1.1 (%d+)"), answer:match "\r\n\r\n(.*)$"
  end

  for _, case in ipairs {
    { "/", "[/][none][h]" }, { "/a?b", "[/a][b][h]" }, { "/a?", "[/a][][h]" }, { "/a?b?c", "[/a][b?c][h]" },
    { "//x", "[/x][none][h]" }, { "http://o", "[/][none][o]" }, { "HTTPS://o:80/x?y", "[/x][y][o:80]" },
    { "http://o?q", "[/][q][o]" }, { "http://[::1]:8080/", "[/][none][[::1]:8080]" },
  } do
    it(("%s is read"):format(case[1]), function()
      assert.same({ 200, case[2] }, { ask(case[1]) })
    end)
  end

  for _, target in ipairs {
    "/a#b", "/a?b#c", "*a", "**", "http:/", "http://", "http:///x", "http://:80/", "http://u@h/", "http://u:p@h/", "?q",
    "ftp://h/", "http://h:99999/", "http://[::1/", "https://", "/%", "/%00", "/%zz", "*",
  } do
    it(("%s is refused"):format(target), function()
      assert.equal(400, (ask(target)))
    end)
  end

  for _, host in ipairs {
    "", "a", "example.org", "example.org:80", "example.org:", "1.2.3.4:65535", "[::1]", "[::1]:", "[::1]:80",
    "[2001:db8::1]", "[::ffff:1.2.3.4]", "a_b~c", "%41", "a:0", "[v1.a:b]", "xn--a", "a!$&'()*+,;=-._~", "A:00080",
  } do
    it(("may come with the Host %q"):format(host), function()
      assert.same({ 200, ("[/][none][%s]"):format(host) }, { ask("/", host) })
    end)
  end

  for _, host in ipairs {
    ":80", ":", "a:b", "a:65536", "a:-1", "a:80:80", "a b", "a/b", "a@b", "a?b", "[::1", "::1", "[::1]a", "[]",
    "[::1%25eth0]", "[::1%eth0]", "[1.2.3.4]", "[v.a]", "[v1.]", "[v1a]", "[v1]", "a%", "a%4", "a%zz", "ü", "a,b c",
    "[:::]", "[1:2:3:4:5:6:7:8:9]", "a\\b", "a#", "[g::1]", "a:99999999999999999999", "[" .. ("1"):rep(100) .. "]",
  } do
    it(("may not come with the Host %q"):format(host), function()
      assert.equal(400, (ask("/", host)))
    end)
  end
end)
