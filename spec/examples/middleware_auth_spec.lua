local testing = require "sprylua.testing"

local token = { authorization = "Bearer secret-token" }

describe("examples/middleware-auth", function()
  local app, printed, print_before

  before_each(function()
    app = testing.app "examples/middleware-auth/routes"
    printed, print_before = {}, _G.print
    _G.print = function(text) printed[#printed + 1] = text end -- luacheck: ignore
  end)

  after_each(function()
    _G.print = print_before -- luacheck: ignore
    app:close()
  end)

  it("logs every request, upgrades included", function()
    app:get "/?a=1"
    app:ws "/admin/live"
    assert.equal(2, #printed)
    assert.matches("^%d+%-%d+%-%d+T[%d:]+Z GET /%?a=1$", printed[1])
    assert.matches("GET /admin/live$", printed[2])
  end)

  it("lets everybody see the rest", function()
    assert.equal("Hello, everybody\n", app:get("/").body)
  end)

  it("asks for the token below /admin, however that is spelt", function()
    for _, path in ipairs {
      "/admin", "/admin/", "//admin", "/x/../admin", "/%61dmin", "/./admin", "/admin/live", "/admin//live", "/admin?x",
    } do
      local res = app:get(path)
      assert.equal(401, res.status, path)
      assert.same({ error = "Unauthorized" }, res:json())
    end
    assert.equal(401, app:get("/admin", { headers = { authorization = "Bearer wrong" } }).status)
    assert.same({ message = "Hello, admin" }, app:get("/admin", { headers = token }):json())
  end)

  it("does not take /administrator for /admin", function()
    assert.equal(404, app:get("/administrator").status)
  end)

  it("refuses a WebSocket without the token, and opens one with it", function()
    local ws, res = app:ws "/admin/live"
    assert.is_nil(ws)
    assert.equal(401, res.status)
    ws = app:ws("/admin/live", { headers = token })
    assert.equal("Hello, admin", ws:receive())
  end)
end)
