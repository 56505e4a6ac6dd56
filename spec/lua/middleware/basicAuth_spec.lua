local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("basicAuth", function()
  local function app_with(options, more)
    local files = {
      ["_middleware.lua"] = middleware.basicAuth(options),
      ["index.lua"] = function(event) return "hello " .. event.locals.user end,
    }
    for name, content in pairs(more or {}) do files[name] = content end
    return temp_routes.app(files)
  end

  local function get(app, authorization)
    return app:get("/", { headers = { authorization = authorization } })
  end

  local users = { Aladdin = "open sesame", ada = "a:b:c", ["j\xc3\xb6rg"] = "\xe2\x82\xac" }

  it("lets in who knows a password, and says who it is", function()
    local app <close> = app_with { users = users }
    for authorization, name in pairs {
      ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] = "Aladdin", -- RFC 7617, section 2
      ["bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] = "Aladdin",
      ["Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] = "Aladdin",
      ["Basic YWRhOmE6Yjpj"] = "ada", -- a colon belongs to the password
      ["Basic asO2cmc64oKs"] = "j\xc3\xb6rg",
    } do
      local res = get(app, authorization)
      assert.equal(200, res.status)
      assert.equal("hello " .. name, res.body)
      assert.is_false(res.headers:has "www-authenticate")
    end
  end)

  it("asks everybody else", function()
    local app <close> = app_with { users = users }
    for _, authorization in ipairs {
      false, "", "Basic", "Basic ", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
      "Basic QWxhZGRpbjp3cm9uZw==", -- Aladdin:wrong
      "Basic QWxhZGRpbjo=", -- Aladdin:
      "Basic QWxhZGRpbg==", -- Aladdin
      "Basic OnNlc2FtZQ==", -- :sesame
      "Basic bm9ib2R5Om9wZW4gc2VzYW1l", -- nobody:open sesame
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Basic !!!!", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== x",
      "Basic \xff\xff\xff\xff", "Basic " .. ("QUFB"):rep(1000),
      { "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
    } do
      local res = get(app, authorization)
      assert.equal(401, res.status)
      assert.equal('Basic realm="Restricted", charset="UTF-8"', res.headers:get "www-authenticate")
    end
    assert.same({}, app.log)
  end)

  it("asks a function, which may wait", function()
    local app <close> = app_with {
      realm = 'the "vault" \\',
      verify = function(user, password, event)
        spry.sleep(0.1)
        return user == "Aladdin" and password == "open sesame" and event.pathname == "/"
      end,
    }
    assert.equal("hello Aladdin", get(app, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").body)
    local res = get(app, "Basic YWRhOmE6Yjpj")
    assert.equal(401, res.status)
    assert.equal('Basic realm="the \\"vault\\" \\\\", charset="UTF-8"', res.headers:get "www-authenticate")
  end)

  it("lets nobody in by another one's password", function()
    local app <close> = app_with { users = { ada = "pw" } }
    assert.equal(200, get(app, "Basic YWRhOnB3").status) -- ada:pw
    assert.equal(401, get(app, "Basic Ym9iOnB3").status) -- bob:pw
  end)

  it("takes no control characters", function()
    local app <close> = app_with { verify = function() return true end }
    assert.equal(401, get(app, "Basic QWxhZGRpbgA6b3BlbiBzZXNhbWU=").status) -- a NUL in the name
    assert.equal(401, get(app, "Basic YWRhOnAKdw==").status) -- a line feed in the password
    assert.equal(200, get(app, "Basic Og==").status) -- both empty: that is for verify to judge
  end)

  it("lets nobody in when the function is broken", function()
    local app <close> = app_with { verify = function() error "database down" end }
    assert.equal(500, get(app, "Basic YWRhOmE6Yjpj").status)
  end)

  it("keeps its challenge on the page of an error file", function()
    local app <close> = app_with({ users = users }, {
      ["_error.lua"] = function(err) return { sorry = err.status } end,
    })
    local res = get(app)
    assert.same({ sorry = 401 }, res:json())
    assert.matches("^Basic realm", res.headers:get "www-authenticate")
  end)

  it("guards a WebSocket", function()
    local app <close> = app_with({ users = users }, {
      ["ws.lua"] = function(event)
        local user = event.locals.user
        return event.ws:upgrade(function(ws) ws:sendText(user) end)
      end,
    })
    local ws, res = app:ws "/ws"
    assert.is_nil(ws)
    assert.equal(401, res.status)
    ws = assert(app:ws("/ws", { headers = { authorization = "Basic YWRhOmE6Yjpj" } }))
    assert.equal("ada", ws:receive())
  end)

  it("refuses options that let nobody in, or could not be meant", function()
    for _, wrong in ipairs { {}, { ada = "" }, { ["a:b"] = "x" }, { "x" }, { ada = 1 }, { ["a\n"] = "x" }, "ada" } do
      assert.error_matches(function() middleware.basicAuth { users = wrong } end,
        "^basicAuth: users must be a table such as")
    end
    assert.error_matches(function() middleware.basicAuth() end, "needs one of the options users and verify")
    assert.error_matches(function() middleware.basicAuth { users = users, verify = print } end,
      "needs one of the options users and verify")
  end)
end)
