local clock = require "sprylua.clock"
local session = require "sprylua.middleware.session"
local signature = require "sprylua.signature"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local crypto = require("sprylua.core").crypto

local SECRET = ("s"):rep(32)
local CONFIG = { secrets = { SECRET } }

local function serve(handler, options, config)
  return temp_routes.app(
    { ["index.lua"] = handler, ["_middleware.lua"] = session(options) }, { config = config or CONFIG })
end

-- "name=value" of the one Set-Cookie, and its attributes.
local function cookie_of(res)
  local all = res.headers:getAll "set-cookie"
  assert.equal(1, #all)
  return all[1]:match "^([^;]*); (.*)$"
end

local function with(cookie)
  return { headers = { cookie = cookie } }
end

-- A cookie with such JSON in it, signed with such a secret.
local function made(text, secret)
  return "session=" .. signature.sign(secret or SECRET, "session", crypto.base64url(text))
end

-- A browser: keeps its cookie from one request to the next.
local function browser(app)
  local cookie
  return function(path, opts)
    opts = opts or {}
    opts.headers = opts.headers or {}
    opts.headers.cookie = cookie
    local res = app:get(path, opts)
    for _, text in ipairs(res.headers:getAll "set-cookie") do
      cookie = not text:find("Max-Age=0", 1, true) and text:match "^[^;]*" or nil
    end
    return res
  end
end

local function counter(event)
  local data = event.locals.session
  data.n = (data.n or 0) + 1
  return tostring(data.n)
end

describe("session", function()
  it("comes back from request to request", function()
    local app <close> = serve(counter)
    local one, other = browser(app), browser(app)
    assert.equal("1", one("/").body)
    assert.equal("2", one("/").body)
    assert.equal("1", other("/").body)
    assert.equal("3", one("/").body)
  end)

  it("is a cookie that scripts, other sites and forgers have nothing of", function()
    local app <close> = serve(counter)
    local pair, attributes = cookie_of(app:get "/")
    assert.matches("^session=[%w_-]+%.[%w_-]+$", pair)
    assert.equal("Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", attributes)
  end)

  it("has the name and the attributes that it is given", function()
    local app <close> = serve(counter, {
      name = "__Secure-me", maxAge = 60, path = "/x", domain = "example.org", secure = true, httpOnly = false,
      sameSite = "none", partitioned = true,
    })
    local pair, attributes = cookie_of(app:get "/")
    assert.matches("^__Secure%-me=", pair)
    assert.equal("Path=/x; Domain=example.org; Max-Age=60; Secure; SameSite=None; Partitioned", attributes)
  end)

  it("keeps what JSON keeps", function()
    local seen
    local data = { text = "é\0\"", whole = 1 << 53 | 1, part = 0.5, yes = true, list = { 1, { x = "y" } } }
    local app <close> = serve(function(event)
      if event.query:has "set" then
        event.locals.session = data
      else
        seen = event.locals.session
      end
      return ""
    end)
    local get = browser(app)
    get "/?set"
    get "/"
    assert.same(data, seen)
    assert.equal("integer", math.type(seen.whole))
  end)

  it("is sent when something in it changed, however deep, and only then", function()
    local change
    local app <close> = serve(function(event)
      change(event.locals.session, event)
      return ""
    end)
    local function sent(fn)
      change = fn
      return app:get("/", with(made(('{"expires":%d,"data":{"a":{"b":[1,2]},"c":1}}'):format(clock.time() + 60))))
        .headers:has "set-cookie"
    end
    assert.is_false(sent(function() end))
    assert.is_true(sent(function(data) data.a.b[2] = 3 end))
    assert.is_true(sent(function(data) data.a.new = false end))
    assert.is_true(sent(function(data) data.c = nil end))
    assert.is_false(sent(function(data) data.c = data.c + 1 - 1 end))
    assert.is_false(sent(function(_, event) event.locals.session = { c = 1, a = { b = { 1, 2 } } } end))
  end)

  it("adds nothing when it was and is empty", function()
    local app <close> = serve(function(event)
      if event.query:has "gone" then event.locals.session = nil end
      return ""
    end)
    for _, path in ipairs { "/", "/?gone" } do
      assert.is_false(app:get(path).headers:has "set-cookie")
      assert.is_false(app:get(path, with "session=nonsense").headers:has "set-cookie")
    end
  end)

  it("is deleted by nil, and by an empty table", function()
    local app <close> = serve(function(event)
      if event.query:has "nil" then
        event.locals.session = nil
      elseif event.query:has "empty" then
        event.locals.session.n = nil
      else
        counter(event)
      end
      return ""
    end, { path = "/", secure = true })
    for _, path in ipairs { "/?nil", "/?empty" } do
      local cookie = cookie_of(app:get "/")
      local pair, attributes = cookie_of(app:get(path, with(cookie)))
      assert.equal("session=", pair)
      assert.matches("^Path=/; Max%-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure;", attributes)
    end
  end)

  it("is sent each time when it is rolling, unless it is empty", function()
    local app <close> = serve(function(event)
      if event.query:has "set" then event.locals.session.a = 1 end
      return ""
    end, { rolling = true })
    assert.is_false(app:get("/").headers:has "set-cookie")
    local cookie = cookie_of(app:get "/?set")
    assert.is_truthy(cookie_of(app:get("/", with(cookie))))
  end)

  it("is empty when the cookie is forged, too old, or nothing that we would have made", function()
    local app <close> = serve(function(event)
      return tostring(next(event.locals.session) == nil)
    end)
    local later = clock.time() + 60
    local good = made(('{"expires":%d,"data":{"a":1}}'):format(later))
    assert.equal("false", app:get("/", with(good)).body)
    for _, cookie in ipairs {
      "session=", "session=.", "session=" .. ("x"):rep(5000), good .. "x", good:sub(1, -3),
      (good:gsub("^session=.", "session=A")), made(('{"expires":%d,"data":{"a":1}}'):format(later), ("t"):rep(32)),
      made(('{"expires":%d,"data":{"a":1}}'):format(clock.time() - 1)), made '{"expires":0,"data":{"a":1}}',
      made '{"expires":9e99,"data":{"a":1}}', made '{"expires":"9999999999","data":{"a":1}}', made '{"data":{"a":1}}',
      made(('{"expires":%d,"data":"a"}'):format(later)), made(('{"expires":%d}'):format(later)), made "[]", made "null",
      made "true", made "", made "{", made("[" .. ("["):rep(1000)),
      "session=" .. signature.sign(SECRET, "session", "not base64"),
      "session=" .. signature.sign(SECRET, "session", ""),
      "session=" .. signature.sign(SECRET, "other", good:match "=(.*)%."),
    } do
      local res = app:get("/", with(cookie))
      assert.equal("true", res.body, cookie)
      assert.equal(200, res.status)
    end
  end)

  it("ends after its age, by the server's clock too", function()
    local app <close> = serve(counter, { maxAge = 60 })
    local cookie = cookie_of(app:get "/")
    app.clock:advance(50)
    assert.equal("2", app:get("/", with(cookie)).body)
    app.clock:advance(20)
    assert.equal("1", app:get("/", with(cookie)).body)
  end)

  it("may stand inside another one, each with its own cookie", function()
    local app <close> = temp_routes.app({
      ["_middleware.lua"] = session(),
      ["login.lua"] = function(event) event.locals.session.user = "Ada" return "in" end,
      ["admin/_middleware.lua"] = session { name = "admin" },
      ["admin/index.lua"] = function(event) return event.locals.session.user or "nobody" end,
      ["admin/su.lua"] = function(event) event.locals.session.root = true return "su" end,
      ["who.lua"] = function(event)
        return tostring(event.locals.session.user) .. " " .. tostring(event.locals.session.root)
      end,
    }, { config = CONFIG })
    local cookie = cookie_of(app:get "/login")
    local res = app:get("/admin", with(cookie))
    assert.equal("nobody", res.body)
    assert.is_false(res.headers:has "set-cookie")
    res = app:get("/admin/su", with(cookie))
    assert.matches("^admin=", cookie_of(res))
    assert.equal("Ada nil", app:get("/who", with(cookie)).body)
  end)

  it("goes on when the secret is changed and the old one kept", function()
    local old <close> = serve(counter)
    local cookie = cookie_of(old:get "/")
    local rotated <close> = serve(counter, nil, { secrets = { ("n"):rep(32), SECRET } })
    local res = rotated:get("/", with(cookie))
    assert.equal("2", res.body)
    local new <close> = serve(counter, nil, { secrets = { ("n"):rep(32) } })
    assert.equal("3", new:get("/", with(cookie_of(res))).body)
    assert.equal("1", new:get("/", with(cookie)).body)
  end)

  it("goes out with errors", function()
    local app <close> = serve(function(event)
      event.locals.session.tried = true
      error(spry.HTTPError(403))
    end)
    local res = app:get "/"
    assert.equal(403, res.status)
    assert.is_truthy(cookie_of(res))
  end)

  it("goes out with a 101, and is there in the session of the WebSocket", function()
    local app <close> = serve(function(event)
      local data = event.locals.session
      counter(event)
      return event.ws:upgrade(function(ws) ws:sendJson(data) end)
    end)
    local ws = assert(app:ws "/")
    assert.same({ n = 1 }, ws:receiveJson())
    assert.is_truthy(cookie_of(ws.response))
  end)

  it("that fits into no cookie is an error that says so, to the log", function()
    local app <close> = serve(function(event)
      event.locals.session.text = ("x"):rep(math.tointeger(tonumber(event.query:get "n")))
      return ""
    end, { name = "basket" })
    assert.equal(200, app:get("/?n=2900").status)
    local res = app:get "/?n=4000"
    assert.equal(500, res.status)
    assert.is_false(res.headers:has "set-cookie")
    assert.matches("the cookie basket is too long", table.concat(app.log, "\n"))
  end)

  it("refuses what is no table, or nothing for JSON", function()
    local value
    local app <close> = serve(function(event)
      event.locals.session = value
      return ""
    end)
    for _, case in ipairs {
      { "text", "event.locals.session is a table" }, { 7, "event.locals.session is a table" },
      { false, "event.locals.session is a table" }, { { print = print }, "json.encode: .* at %$%.print" },
    } do
      value = case[1]
      assert.equal(500, app:get("/").status)
      assert.matches(case[2], table.concat(app.log, "\n"))
      app.log = {}
    end
  end)

  it("says at the first request that there is no secret", function()
    local app <close> = serve(counter, nil, {})
    assert.equal(500, app:get("/").status)
    assert.matches("signed cookies need a secret: put secrets", table.concat(app.log, "\n"))
  end)

  it("checks its options where they are given", function()
    for _, given in ipairs {
      { nam = "x" }, { name = "a b" }, { name = "" }, { maxAge = 0 }, { maxAge = 1.5 }, { maxAge = math.maxinteger },
      { rolling = 1 }, { secure = "yes" }, { sameSite = "loose" }, { sameSite = "none" }, { path = "/;x" },
      { path = false }, { name = "__Host-x" }, { domain = "a\r\nb" }, { partitioned = true }, "session",
    } do
      assert.error_matches(function() session(given) end, "session")
    end
    session { name = "__Host-x", secure = true }
  end)
end)
