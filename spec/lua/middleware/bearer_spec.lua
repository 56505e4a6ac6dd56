local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("bearer", function()
  local function app_with(options)
    return temp_routes.app {
      ["_middleware.lua"] = middleware.bearer(options),
      ["index.lua"] = function(event) return { event.locals.token, event.locals.user } end,
    }
  end

  local function get(app, authorization)
    return app:get("/", { headers = { authorization = authorization } })
  end

  local function challenge(res)
    return res.headers:get "www-authenticate"
  end

  it("lets in who has a token", function()
    local app <close> = app_with { tokens = { "mF_9.B5f-4.1JqM", "abc+/~==" } }
    assert.same({ "mF_9.B5f-4.1JqM" }, get(app, "Bearer mF_9.B5f-4.1JqM"):json())
    assert.same({ "abc+/~==" }, get(app, "bearer abc+/~=="):json())
  end)

  it("asks for a token where there is none, and names no error", function()
    local app <close> = app_with { tokens = { "abc" } }
    for _, authorization in ipairs { false, "", "Basic YWRhOmE6Yjpj", "abc", "Bearerabc" } do
      local res = get(app, authorization)
      assert.equal(401, res.status)
      assert.equal('Bearer realm="Restricted"', challenge(res))
    end
  end)

  it("refuses a token that it does not know", function()
    local app <close> = app_with { tokens = { "abc" }, realm = "the api" }
    for _, token in ipairs { "ab", "abcd", "ABC", "abc=", "abcabc", ("a"):rep(4000) } do
      local res = get(app, "Bearer " .. token)
      assert.equal(401, res.status)
      assert.equal('Bearer realm="the api", error="invalid_token"', challenge(res))
    end
  end)

  it("refuses a header that is malformed", function()
    local app <close> = app_with { tokens = { "abc" } }
    for _, authorization in ipairs {
      "Bearer", "Bearer ", "Bearer abc abc", "Bearer a,b", "Bearer =", 'Bearer "abc"', "Bearer \xc3\xa9",
      { "Bearer abc", "Bearer abc" },
    } do
      local res = get(app, authorization)
      assert.equal(400, res.status)
      assert.equal('Bearer realm="Restricted", error="invalid_request"', challenge(res))
    end
  end)

  it("asks a function, whose answer is the user", function()
    local app <close> = app_with {
      verify = function(token, event)
        spry.sleep(0.1)
        if token == "root" then
          return true
        elseif token == "scope" then
          error(spry.HTTPError(403, { message = "not with this token" }))
        end
        return token == "ada" and { name = "Ada", path = event.pathname } or nil
      end,
    }
    assert.same({ "ada", { name = "Ada", path = "/" } }, get(app, "Bearer ada"):json())
    assert.same({ "root" }, get(app, "Bearer root"):json())
    assert.equal(401, get(app, "Bearer other").status)
    assert.equal(403, get(app, "Bearer scope").status)
  end)

  it("refuses options that let nobody in", function()
    for _, wrong in ipairs { {}, { "" }, { "a b" }, { "=" }, { 1 }, { token = "a" }, "abc" } do
      assert.error_matches(function() middleware.bearer { tokens = wrong } end, "^bearer: tokens must be a list of")
    end
    assert.error_matches(function() middleware.bearer() end, "needs one of the options tokens and verify")
    assert.error_matches(function() middleware.bearer { tokens = { "a" }, verify = print } end, "needs one of")
  end)
end)
