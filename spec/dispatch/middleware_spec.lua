local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("middleware", function()
  -- Adds its name to the x-seen header of what next() returned, so the innermost is first.
  local function mark(name)
    return function(_, next)
      local res = next()
      res.headers:append("x-seen", name)
      return res
    end
  end

  local function seen(res)
    return (res.headers:get "x-seen" or ""):gsub(",", "")
  end

  local function project(files, opts)
    return require("sprylua.testing").app(temp_routes.project(files) .. "/routes", opts)
  end

  it("wraps every route of its folder and below, global ones first", function()
    local app <close> = project {
      ["middleware/20_second.lua"] = mark "global2",
      ["middleware/10_first.lua"] = mark "global1",
      ["routes/_middleware.lua"] = mark "root",
      ["routes/index.lua"] = function() return "x" end,
      ["routes/a/_middleware.lua"] = mark "a",
      ["routes/a/index.lua"] = function() return "x" end,
      ["routes/a/b/c.lua"] = function() return "x" end,
    }
    assert.equal("root global2 global1", seen(app:get "/"))
    assert.equal("a root global2 global1", seen(app:get "/a"))
    assert.equal("a root global2 global1", seen(app:get "/a/b/c"))
  end)

  it("calls next() once: what is behind it has run", function()
    local runs = 0
    local app <close> = project {
      ["routes/_middleware.lua"] = function(_, next)
        next()
        return next()
      end,
      ["routes/index.lua"] = function() runs = runs + 1 return "x" end,
    }
    assert.equal(500, app:get("/").status)
    assert.equal(1, runs)
    assert.matches("next%(%) was called before", table.concat(app.log, "\n"))
  end)

  it("can't call next() when its request is over", function()
    local kept, problem
    local paid = 0
    local app <close> = project {
      ["routes/_middleware.lua"] = function(event, next)
        if event.query:has "keep" then
          kept = next
          return "kept"
        end
        problem = select(2, pcall(function() kept() end))
        return "no"
      end,
      ["routes/pay.lua"] = function()
        paid = paid + 1
        return "paid"
      end,
    }
    app:get "/pay?keep"
    app:get "/pay"
    assert.equal(0, paid)
    assert.matches("middleware_spec%.lua:%d+: next%(%) is called when its request is over", problem)
  end)

  it("of a method runs for that method", function()
    local app <close> = project {
      ["middleware/10_g.post.lua"] = mark "global",
      ["routes/_middleware.lua"] = mark "all",
      ["routes/_middleware.post.lua"] = mark "post",
      ["routes/a.lua"] = function() return "x" end,
      ["routes/b.get.lua"] = function() return "x" end,
      ["routes/b.post.lua"] = function() return "x" end,
    }
    assert.equal("all", seen(app:get "/a"))
    assert.equal("post all global", seen(app:post "/a"))
    assert.equal("all", seen(app:get "/b"))
    assert.equal("post all global", seen(app:post "/b"))
    assert.equal("post all global", seen(app:post "/none"))
    assert.equal("all", seen(app:get "/none"))
  end)

  it("in a group scopes the group's routes alone", function()
    local app <close> = project {
      ["routes/(admin)/_middleware.lua"] = mark "admin",
      ["routes/(admin)/x.lua"] = function() return "x" end,
      ["routes/y.lua"] = function() return "y" end,
    }
    assert.equal("admin", seen(app:get "/x"))
    assert.equal("", seen(app:get "/y"))
    assert.equal("", seen(app:get "/none"))
  end)

  it("sees 404, 405, 500 and OPTIONS as responses", function()
    local statuses = {}
    local app <close> = project {
      ["middleware/10_log.lua"] = function(event, next)
        local res = next()
        statuses[#statuses + 1] = event.method .. res.status
        res.headers:set("x-request-id", "7")
        return res
      end,
      ["routes/a.get.lua"] = function() return "x" end,
      ["routes/b.lua"] = function() error "broken" end,
    }
    for _, line in ipairs { "GET /none", "POST /a", "GET /b", "OPTIONS /a", "GET /a" } do
      local method, path = line:match "^(%S+) (%S+)$"
      assert.equal("7", app:request(method, path).headers:get "x-request-id")
    end
    assert.same({ "GET404", "POST405", "GET500", "OPTIONS204", "GET200" }, statuses)
  end)

  it("of a folder sees the misses below that folder", function()
    local app <close> = project {
      ["routes/api/_middleware.lua"] = mark "api",
      ["routes/api/x.get.lua"] = function() return "x" end,
      ["routes/[tenant]/_middleware.lua"] = mark "tenant",
      ["routes/[tenant]/home.lua"] = function() return "x" end,
    }
    assert.equal("api", seen(app:get "/api/none"))
    assert.equal("api", seen(app:get "/api"))
    assert.equal("api", seen(app:post "/api/x"))
    assert.equal("tenant", seen(app:get "/acme/none/at/all"))
    assert.equal("", seen(app:get "/"))
  end)

  it("answers by itself, changes what it got, or answers something else", function()
    local ran = false
    local app <close> = project {
      ["routes/a/_middleware.lua"] = function(event, next)
        if event.headers:get "authorization" ~= "Bearer secret" then
          return spry.Response.json({ error = "Unauthorized" }, { status = 401 })
        end
        local res = next()
        res.status, res.body = 202, res.body .. "!"
        res.headers:delete "x-inner"
        return res
      end,
      ["routes/a/index.lua"] = function()
        ran = true
        return spry.Response("inner", { headers = { ["x-inner"] = "1" } })
      end,
    }
    assert.equal(401, app:get("/a").status)
    assert.is_false(ran)
    local res = app:get("/a", { headers = { authorization = "Bearer secret" } })
    assert.equal(202, res.status)
    assert.equal("inner!", res.body)
    assert.is_false(res.headers:has "x-inner")
  end)

  it("hands values on in event.locals, and may wait", function()
    local app <close> = project {
      ["routes/_middleware.lua"] = function(event, next)
        spry.sleep(1)
        event.locals.user = "ann"
        local res = next()
        spry.sleep(1)
        return res
      end,
      ["routes/index.lua"] = function(event)
        spry.sleep(1)
        return event.locals.user
      end,
    }
    assert.equal("ann", app:get("/").body)
  end)

  it("runs before an upgrade, adds to the 101, and may refuse it", function()
    local sessions = 0
    local app <close> = project {
      ["routes/_middleware.lua"] = function(event, next)
        local res = next()
        if event.query:has "refuse" then
          return spry.Response("no", { status = 403 })
        end
        res.headers:set("x-from", "middleware")
        return res
      end,
      ["routes/ws.lua"] = function(event)
        return event.ws:upgrade(function(ws)
          sessions = sessions + 1
          ws:sendText "hi"
        end)
      end,
    }
    local connection = app:connect()
    connection:send(require("sprylua.testing").handshake "/ws")
    local bytes = connection:take():lower()
    assert.matches("^http/1.1 101", bytes)
    assert.matches("\r\nx%-from: middleware\r\n", bytes)
    assert.equal(1, sessions)
    local ws, res = app:ws "/ws?refuse"
    assert.is_nil(ws)
    assert.equal(403, res.status)
    assert.equal(1, sessions)
  end)

  it("in a defineHandler belongs to that handler", function()
    local app <close> = project {
      ["routes/_middleware.lua"] = mark "root",
      ["routes/a.lua"] = [[
        local spry = require "sprylua"
        local function mark(name)
          return function(_, next)
            local res = next()
            res.headers:append("x-seen", name)
            return res
          end
        end
        return spry.defineHandler {
          middleware = { mark "first", mark "second" },
          handler = function(event)
            if event.query:has "fail" then error(spry.HTTPError(400, { message = "no" })) end
            return "x"
          end,
          onError = function(err) return { only = err.message } end,
        }]],
      ["routes/b.lua"] = function() return "x" end,
    }
    assert.equal("second first root", seen(app:get "/a"))
    assert.equal("root", seen(app:get "/b"))
    local res = app:get "/a?fail"
    assert.equal(400, res.status)
    assert.same({ only = "no" }, res:json())
    assert.equal("second first root", seen(res))
  end)

  it("may take the headers away, but not put a table of its own there", function()
    local app <close> = project {
      ["routes/_middleware.lua"] = mark "root",
      ["routes/none/_middleware.lua"] = function(_, next)
        local res = next()
        res.headers = nil
        return res
      end,
      ["routes/none/index.lua"] = function() return "x" end,
      ["routes/named/_middleware.lua"] = function(_, next)
        local res = next()
        res.headers = { ["x-a"] = "1" }
        return res
      end,
      ["routes/named/index.lua"] = function() return "x" end,
      ["routes/wrong.lua"] = function()
        local res = spry.Response "x"
        res.headers = "a: b"
        return res
      end,
    }
    local res = app:get "/none"
    assert.same({ 200, "x", false, "root" },
      { res.status, res.body, res.headers:has "content-type", res.headers:get "x-seen" })
    for path, sentence in pairs {
      ["/named"] = "routes/named/_middleware.lua: the middleware returned a Response whose headers were replaced; use",
      ["/wrong"] = "routes/wrong.lua: the handler returned a Response whose headers were replaced",
    } do
      res = app:get(path)
      assert.equal(500, res.status)
      assert.equal("root", res.headers:get "x-seen")
      assert.matches(sentence, app.log[#app.log])
    end
  end)

  it("that returns nothing is named", function()
    local app <close> = project {
      ["routes/_middleware.lua"] = function(_, next) next() end,
      ["routes/index.lua"] = function() return "x" end,
    }
    assert.equal(500, app:get("/").status)
    assert.matches("routes/_middleware.lua: the middleware returned nothing %(forgot return%?%)", app.log[1])
    assert.equal(1, #app.log)
  end)
end)
