local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("event.cookies", function()
  local function serve(handler)
    return temp_routes.app { ["index.lua"] = handler }
  end

  it("reads what the client sent", function()
    local seen
    local app <close> = serve(function(event)
      local c = event.cookies
      seen = { c:get "a", c:get "b", c:get "quoted", c:get "enc", c:get "empty", c:get "none" or "nothing" }
      return ""
    end)
    app:get("/", { headers = { cookie = 'a=1; b=x=y;quoted="z"; a=2; enc=%C3%A9%20; empty=; broken' } })
    assert.same({ "1", "x=y", "z", "é ", "", "nothing" }, seen)
  end)

  it("sets with a path, and what else is asked for", function()
    local app <close> = serve(function(event)
      event.cookies:set("a", "1")
      event.cookies:set("b", "x; y=é", {
        maxAge = 60, expires = 0, httpOnly = true, secure = true, sameSite = "lax", domain = "example.org", path = "/x",
      })
      event.cookies:set("c", 5, { httpOnly = false })
      return ""
    end)
    assert.same({
      "a=1; Path=/",
      "b=x%3B%20y=%C3%A9; Path=/x; Domain=example.org; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; "
        .. "Secure; SameSite=Lax",
      "c=5; Path=/",
    }, app:get("/").headers:getAll "set-cookie")
  end)

  it("reads back what it wrote", function()
    local seen
    local app <close> = serve(function(event)
      seen = event.cookies:get "v"
      event.cookies:set("v", "100% \"é\"; a,b\\")
      return ""
    end)
    local cookie = app:get("/").headers:get("set-cookie"):match "^[^;]*"
    app:get("/", { headers = { cookie = cookie } })
    assert.equal("100% \"é\"; a,b\\", seen)
  end)

  it("goes round what the client sent, and nothing else", function()
    local seen = {}
    local app <close> = serve(function(event)
      for name, value in pairs(event.cookies) do
        seen[name] = value
      end
      return ""
    end)
    app:get("/", { headers = { cookie = "a=1; b=%20" } })
    assert.same({ a = "1", b = " " }, seen)
  end)

  it("set again replaces itself, and no other", function()
    local app <close> = serve(function(event)
      event.cookies:set("a", "1")
      event.cookies:set("ab", "1")
      event.cookies:set("a", "2", { sameSite = "STRICT" })
      event.cookies:delete "ab"
      return ""
    end)
    assert.same({
      "a=2; Path=/; SameSite=Strict", "ab=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    }, app:get("/").headers:getAll "set-cookie")
  end)

  it("deletes with an age of nothing", function()
    local app <close> = serve(function(event)
      event.cookies:delete("a", { path = "/x" })
      return ""
    end)
    assert.equal("a=; Path=/x; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", app:get("/").headers:get "set-cookie")
  end)

  it("comes with an error page too, and leaves a shared Response alone", function()
    local shared = spry.Response "shared"
    local app <close> = serve(function(event)
      event.cookies:set("n", event.query:get "n")
      if event.query:has "fail" then
        error "no"
      end
      return shared
    end)
    assert.same({ "n=1; Path=/" }, app:get("/?n=1").headers:getAll "set-cookie")
    assert.same({ "n=2; Path=/" }, app:get("/?n=2").headers:getAll "set-cookie")
    local res = app:get "/?n=3&fail"
    assert.equal(500, res.status)
    assert.same({ "n=3; Path=/" }, res.headers:getAll "set-cookie")
    assert.is_false(shared.headers:has "set-cookie")
  end)

  it("comes with a 101 too", function()
    local app <close> = serve(function(event)
      event.cookies:set("session", "s")
      return event.ws:upgrade(function() end)
    end)
    local connection = app:connect()
    connection:send(require("sprylua.testing").handshake("/"))
    local bytes = connection:take()
    assert.matches("^HTTP/1.1 101 ", bytes)
    assert.matches("\r\n[Ss]et%-[Cc]ookie: session=s; Path=/\r\n", bytes)
  end)

  it("refuses what a browser would drop or misread", function()
    local problems = {}
    local app <close> = serve(function(event)
      for _, arguments in ipairs {
        { "a b", "1" }, { "", "1" }, { "a=b", "1" }, { "a" }, { "a", {} }, { "a", "1", { path = "/;x" } },
        { "a", "1", { domain = "x\r\ny" } }, { "a", "1", { sameSite = "None" } }, { "a", "1", { maxAge = "60" } },
        { "a", "1", { httponly = true } }, { "a", "1", { sameSite = "none" } }, { "__Secure-a", "1" },
        { "__Host-a", "1", { secure = true, path = "/x" } }, { "a", "1", "secure" }, { "a", "1", { secure = "yes" } },
        { "__SECURE-a", "1" }, { "__hOsT-a", "1" }, { "a", "1", { partitioned = true } }, { "a", ("x"):rep(4096) },
        { "a", ("é"):rep(683) }, { "a", "1", { expires = math.maxinteger } }, { "a", "1", { signed = "yes" } },
      } do
        local ok, problem = pcall(event.cookies.set, event.cookies, arguments[1], arguments[2], arguments[3])
        assert(not ok, arguments[1])
        problems[#problems + 1] = problem
      end
      return ""
    end)
    local res = app:get "/"
    assert.equal(200, res.status)
    assert.equal(22, #problems)
    assert.is_false(res.headers:has "set-cookie")
    assert.matches("it takes path, domain", problems[10])
    assert.matches("needs secure = true", problems[11])
    assert.matches("the cookie a is too long: its name and value make 4097 bytes", problems[19], 1, true)
  end)

  it("takes what is just not too long", function()
    local app <close> = serve(function(event)
      event.cookies:set("a", ("x"):rep(4095))
      return ""
    end)
    assert.equal(200, app:get("/").status)
  end)

  it("refuses to delete with options that are none", function()
    local app <close> = serve(function(event)
      local ok, problem = pcall(event.cookies.delete, event.cookies, "a", "x")
      assert.is_false(ok)
      assert.matches("are a table", problem)
      assert.error_matches(function() event.cookies:delete("a", { pth = "/" }) end, "no option pth")
      return ""
    end)
    assert.equal(200, app:get("/").status)
  end)

  it("sends Partitioned", function()
    local app <close> = serve(function(event)
      event.cookies:set("a", "1", { partitioned = true, secure = true, sameSite = "none" })
      return ""
    end)
    assert.equal("a=1; Path=/; Secure; SameSite=None; Partitioned", app:get("/").headers:get "set-cookie")
  end)

  it("reads a header that is all spaces in no time", function()
    local app <close> = serve(function(event) return event.cookies:get "a" end)
    local spaces = (" "):rep(10000)
    assert.equal("b" .. spaces .. "c", app:get("/", { headers = { cookie = "a=b" .. spaces .. "c" } }).body)
  end)
end)

describe("signed cookies", function()
  local NEW, OLD = ("n"):rep(32), ("o"):rep(32)

  local function serve(secrets, handler)
    return temp_routes.app({ ["index.lua"] = handler }, { config = { secrets = secrets } })
  end

  -- The value that an app with such secrets signs, as it stands in Set-Cookie.
  local function signed(secrets, name, value)
    local app <close> = serve(secrets, function(event)
      event.cookies:set(name, value, { signed = true, httpOnly = true })
      return ""
    end)
    local pair, rest = app:get("/").headers:get("set-cookie"):match "^([^;]*)(.*)$"
    assert.equal("; Path=/; HttpOnly", rest)
    return pair:match "=(.*)$"
  end

  -- What an app with such secrets reads from a cookie.
  local function read(secrets, name, text)
    local app <close> = serve(secrets, function(event)
      return { value = event.cookies:get(name, { signed = true }) }
    end)
    local res = app:get("/", { headers = { cookie = name .. "=" .. text } })
    assert.equal(200, res.status)
    return res:json().value
  end

  it("come back as they were set", function()
    for _, value in ipairs { "1", "", "a.b.c", "x; y=é\0,", "." } do
      assert.equal(value, read({ NEW }, "user", signed({ NEW }, "user", value)))
    end
  end)

  it("are readable, with an HMAC-SHA256 of name and value behind a dot", function()
    local text = signed({ NEW }, "user", "7")
    assert.matches("^7%.[%w_-]+$", text)
    assert.equal(43, #text:match "%.(.*)$")
    local crypto = require("sprylua.core").crypto
    assert.equal("7." .. crypto.base64url(crypto.hmac(NEW, "cookie user=7")), text)
  end)

  it("are nil when anything about them was changed", function()
    local text = signed({ NEW }, "user", "7")
    local value, signature = text:match "^(.*)%.(.*)$"
    local forged = {
      "8." .. signature, "." .. signature, "7" .. signature, value, value .. ".", "", ".", "7.." .. signature,
      text .. "A", text:sub(1, -2), text .. "=", text .. ".", text:upper(), value .. "." .. ("A"):rep(43),
      "%zz" .. text, text .. "%00", "7%00." .. signature,
    }
    -- The last character carries two bits that say nothing; another one with the same four is another text.
    local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    local at = alphabet:find(text:sub(-1), 1, true)
    forged[#forged + 1] = text:sub(1, -2) .. alphabet:sub(at + 1, at + 1)
    for _, other in ipairs(forged) do
      assert.is_nil(read({ NEW }, "user", other), other)
    end
    assert.equal("7", read({ NEW }, "user", text))
  end)

  it("are nil under another name, and where name and value are cut elsewhere", function()
    assert.is_nil(read({ NEW }, "admin", signed({ NEW }, "user", "7")))
    local signature = signed({ NEW }, "a", "b=c"):match "%.(.*)$"
    assert.is_nil(read({ NEW }, "a", "=b=c." .. signature))
    assert.is_nil(read({ NEW }, "ab", "=c." .. signature))
  end)

  it("are nil when they are not there", function()
    assert.is_nil(read({ NEW }, "user", "; other=1"))
  end)

  it("are signed by the first secret, and read with any", function()
    local old = signed({ OLD }, "user", "7")
    assert.equal("7", read({ NEW, OLD }, "user", old))
    assert.is_nil(read({ NEW }, "user", old))
    local new = signed({ NEW, OLD }, "user", "7")
    assert.equal("7", read({ NEW }, "user", new))
    assert.is_nil(read({ OLD }, "user", new))
  end)

  it("say where a secret goes when there is none", function()
    local app <close> = serve(nil, function(event)
      local why = "^signed cookies need a secret: put secrets = .*sprylua.config.lua.*SPRYLUA_SECRETS.*openssl rand"
      assert.error_matches(function() event.cookies:set("a", "1", { signed = true }) end, why)
      assert.error_matches(function() event.cookies:get("a", { signed = true }) end, why)
      event.cookies:set("b", "2", { signed = false })
      return event.cookies:get("b", { signed = false }) or "plain"
    end)
    assert.equal("plain", app:get("/").body)
  end)

  it("take no other option to be read with", function()
    local app <close> = serve({ NEW }, function(event)
      for _, options in ipairs { "signed", { Signed = true }, { signed = 1 }, true } do
        assert.error_matches(function() event.cookies:get("a", options) end, "signed = true")
      end
      return ""
    end)
    assert.equal(200, app:get("/").status)
  end)

  it("are deleted like others, with the options they were set with", function()
    local app <close> = serve(nil, function(event)
      event.cookies:delete("a", { signed = true, path = "/x" })
      return ""
    end)
    assert.matches("^a=; Path=/x; Max%-Age=0;", app:get("/").headers:get "set-cookie")
  end)

  it("work on an event of its own", function()
    local event = require("sprylua.testing").event {
      config = { secrets = { NEW } }, headers = { cookie = "user=" .. signed({ NEW }, "user", "7") },
    }
    assert.equal("7", event.cookies:get("user", { signed = true }))
  end)
end)
