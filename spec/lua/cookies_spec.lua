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
      } do
        local ok, problem = pcall(event.cookies.set, event.cookies, arguments[1], arguments[2], arguments[3])
        assert(not ok, arguments[1])
        problems[#problems + 1] = problem
      end
      return ""
    end)
    local res = app:get "/"
    assert.equal(200, res.status)
    assert.equal(15, #problems)
    assert.is_false(res.headers:has "set-cookie")
    assert.matches("it takes path, domain", problems[10])
    assert.matches("needs secure = true", problems[11])
  end)
end)
