local app = require "sprylua.app"
local config = require "sprylua.config"
local health = require "sprylua.health"
local log = require "sprylua.log"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

describe("the setting health", function()
  after_each(function()
    health.isStopping = false
    testing.reset()
  end)

  teardown(temp_routes.clean)

  local function project(files)
    files["sprylua.config.lua"] = "return { health = true }"
    return temp_routes.project(files) .. "/routes"
  end

  local function served(files)
    return testing.app(project(files), { config = { health = true } })
  end

  it("answers two paths, before anything of the project's", function()
    local touched = false
    local one <close> = served {
      ["routes/[...all].lua"] = function() return "mine" end,
      ["routes/_middleware.lua"] = function(_, next)
        touched = true
        return next()
      end,
      ["middleware/10_all.lua"] = function(_, next)
        touched = true
        return next()
      end,
      ["public/healthz"] = "a file",
    }
    for _, path in ipairs { "/healthz", "/readyz" } do
      local res = one:get(path)
      assert.equal(200, res.status)
      assert.equal("ok", res.body)
      assert.equal("no-store", res.headers:get "cache-control")
      assert.equal(200, one:head(path).status)
    end
    assert.is_false(touched)
    assert.equal("mine", one:get("/healthz/more").body)
    assert.is_true(touched)
  end)

  it("tells of the stop on one of them only", function()
    local one <close> = served {}
    health.isStopping = true
    assert.equal(503, one:get("/readyz").status)
    assert.equal("stopping", one:get("/readyz").body)
    assert.equal(200, one:get("/healthz").status)
  end)

  it("is off when nobody asks for it", function()
    local one <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    assert.equal(404, one:get("/healthz").status)
    assert.equal(404, one:get("/readyz").status)
    assert.is_nil((config.complete { health = "yes" }))
  end)

  it("keeps both out of the access log, and nothing else", function()
    local loaded = assert(app.load(project { ["routes/index.lua"] = function() return "x" end }, { logAccess = true }))
    local peer = require("sprylua.core").connect(loaded.core)
    log.setup { access = "text" }
    local lines = log.capture(function()
      for _, request in ipairs { "GET /healthz", "HEAD /readyz", "GET /", "GET /other", "OPTIONS *" } do
        peer:feed(request .. " HTTP/1.1\r\nHost: x\r\n\r\n")
        assert.matches("^HTTP/1.1 %d", peer:take())
      end
    end)
    log.setup { access = "none" }
    peer:hangup()
    assert.equal(3, #lines)
    assert.matches("200 GET / ", lines[1])
    assert.matches("404 GET /other ", lines[2])
    assert.matches(" OPTIONS %* ", lines[3])
  end)

  it("does not load with a route of the same path", function()
    local routes = project { ["routes/healthz.get.lua"] = function() return "mine" end }
    local loaded, problems = app.load(routes)
    assert.is_nil(loaded)
    assert.same({ routes .. "/healthz.get.lua: the setting health answers /healthz; take another path, or leave that "
      .. "setting out" }, problems)
  end)
end)
