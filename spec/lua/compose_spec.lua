local compose = require "sprylua.compose"
local log = require "sprylua.log"
local response = require "sprylua.response"
local spry = require "sprylua"

-- Chains as plain functions: an event is a table here, since nothing below the composition looks inside.
describe("compose", function()
  local app = { hooks = {}, config = {} }

  local function event(method)
    return { method = method or "GET", path = "/x", pathname = "/x" }
  end

  local function step(name, method)
    return {
      label = name, role = "middleware", method = method,
      call = function(ev, next)
        ev[#ev + 1] = name
        local res = next()
        ev[#ev + 1] = "/" .. name
        return res
      end,
    }
  end

  local function level(middleware, errors)
    return { middleware = middleware or {}, errors = errors or {} }
  end

  local function entry(levels, handler, method)
    return compose.entry { handler = handler, label = "h.lua", method = method, levels = levels, app = app }
  end

  it("gives a bare handler itself", function()
    local function handler() end
    assert.equal(handler, entry({ level() }, handler))
  end)

  it("puts something around a handler only when it stands for two files", function()
    local function handler() return "x" end
    assert.equal(handler, entry({ level() }, handler))
    local second = entry({ level() }, handler)
    assert.are_not.equal(handler, second)
    assert.equal("x", second(event()))
  end)

  it("runs middleware from outside to inside and back", function()
    local run = entry({ level { step "a", step "b" }, level { step "c" } }, function(ev)
      ev[#ev + 1] = "h"
      return "done"
    end)
    local ev = event()
    local res = run(ev)
    assert.equal("a b c h /c /b /a", table.concat(ev, " "))
    assert.equal("done", res.body)
  end)

  it("runs a method's middleware for that method, and GET's for HEAD", function()
    local levels = { level { step "all", step("get", "GET"), step("post", "POST"), step("head", "HEAD") } }
    local run = entry(levels, function() return "x" end)
    for method, names in pairs {
      GET = "all get", HEAD = "all get head", POST = "all post", PUT = "all", DELETE = "all",
    } do
      local ev = event(method)
      run(ev)
      local seen = {}
      for _, name in ipairs(ev) do
        seen[#seen + 1] = name:match "^%a+"
      end
      assert.equal(names, table.concat(seen, " "), method)
    end
    local get_route = entry(levels, function() return "x" end, "GET")
    local ev = event "HEAD"
    get_route(ev)
    assert.equal("all get head", ev[1] .. " " .. ev[2] .. " " .. ev[3])
  end)

  it("makes one chain when a method's middleware cannot matter", function()
    local function handler() end
    assert.equal(handler, entry({ level { step("post", "POST") } }, handler, "GET"))
  end)

  it("gives next() a response, whatever happens below", function()
    local kinds = {
      string = function() return "s" end,
      table = function() return { a = 1 } end,
      response = function() return spry.Response("r", { status = 201 }) end,
      http_error = function() error(spry.HTTPError(404)) end,
      error = function() error "broken" end,
      error_nil = function() error(nil) end,
      nothing = function() end,
      number = function() return 7 end,
    }
    local statuses = { string = 200, table = 200, response = 201, http_error = 404, error = 500, error_nil = 500,
      nothing = 500, number = 500 }
    for kind, handler in pairs(kinds) do
      local seen
      local run = entry({ level { { label = "m", role = "middleware", call = function(_, next)
        seen = next()
        seen.headers:set("x-seen", "yes")
        return seen
      end } } }, handler)
      log.capture(function() run(event()) end)
      assert.is_true(response.is(seen), kind)
      assert.equal(statuses[kind], seen.status, kind)
      assert.equal("yes", seen.headers:get "x-seen")
    end
  end)

  it("gives every next() of a chain the same response, once", function()
    local seen = {}
    local function look(_, next)
      local res = next()
      seen[#seen + 1] = res
      local ok, message = pcall(function() return next(), 1 end)
      assert.is_false(ok)
      assert.matches("compose_spec.lua:%d+: next%(%) was called before", message)
      return res
    end
    local middleware = { label = "m", role = "middleware", call = look }
    local run = entry({ level { middleware, middleware }, level { middleware } }, function() return "x" end)
    local ev = event()
    local res = run(ev)
    assert.equal(3, #seen)
    for i = 1, 3 do
      assert.equal(res, seen[i])
    end
    assert.equal(ev, res.owner)
    assert.are_not.equal(res, run(event()))
  end)

  it("calls what is behind a next() that was called from another coroutine, or waits there", function()
    local run = entry({ level { { label = "m", role = "middleware", call = function(_, next)
      local res
      local thread = coroutine.create(function() res = next() end)
      while coroutine.status(thread) ~= "dead" do
        assert(coroutine.resume(thread))
      end
      return res
    end } }, level { step "inner" } }, function()
      coroutine.yield()
      return "done"
    end)
    local ev = event()
    assert.equal("done", run(ev).body)
    assert.equal("inner /inner", table.concat(ev, " "))
  end)

  it("repairs headers that a middleware took away, and refuses others", function()
    for given, status in pairs { ["nil"] = 200, table = 500 } do
      local seen
      local run = entry({ level { { label = "outer", role = "middleware", call = function(_, next)
        seen = next()
        return seen
      end } }, level { { label = "inner", role = "middleware", call = function(_, next)
        local res = next()
        res.headers = given == "table" and { a = "1" } or nil
        return res
      end } } }, function() return "x" end)
      log.capture(function() run(event()) end)
      assert.equal(status, seen.status)
      seen.headers:set("a", "2")
      assert.equal("2", seen.headers:get "a")
    end
  end)

  it("does not let a middleware change a Response that the route keeps", function()
    local constant = spry.Response("x", { headers = { a = "1" } })
    local run = entry({ level { { label = "m", role = "middleware", call = function(_, next)
      local res = next()
      res.headers:append("a", "2")
      res.status = 202
      return res
    end } } }, function() return constant end)
    for _ = 1, 3 do
      assert.equal("1, 2", run(event()).headers:get "a")
    end
    assert.equal("1", constant.headers:get "a")
    assert.equal(200, constant.status)
  end)

  it("lets middleware answer itself, and names the one that forgot to", function()
    local deny = { label = "deny", role = "middleware", call = function()
      return spry.Response("no", { status = 403 })
    end }
    local run = entry({ level { step "a", deny } }, function() error "never" end)
    assert.equal(403, run(event()).status)
    local forgetful = { label = "routes/_middleware.lua", role = "middleware", call = function(_, next) next() end }
    run = entry({ level { step "a", forgetful } }, function() return "x" end)
    local res
    local lines = log.capture(function() res = run(event()) end)
    assert.equal(500, res.status)
    assert.equal(1, #lines)
    assert.matches("routes/_middleware.lua: the middleware returned nothing", lines[1])
  end)

  describe("errors", function()
    local function handler_of(name, answer)
      return { label = name, role = "error file", call = function(err, ev)
        ev[#ev + 1] = name .. ":" .. err.message
        return answer and answer(err)
      end }
    end

    local function respond(err)
      return spry.Response.json({ handled = true }, { status = err.status })
    end

    it("go to the nearest error file, then outward", function()
      local ev = event()
      local run = entry({
        level({ step "mw" }, { handler_of("outer", respond) }),
        level(nil, { handler_of "middle" }),
        level(nil, { handler_of("inner", function() error(spry.HTTPError(418, { message = "worse" })) end) }),
      }, function() error(spry.HTTPError(409, { message = "bad" })) end)
      local res = run(ev)
      assert.equal(418, res.status)
      assert.equal("mw inner:bad middle:worse outer:worse /mw", table.concat(ev, " "))
    end)

    it("of a middleware go to its own folder's file", function()
      local ev = event()
      local broken = { label = "b", role = "middleware", call = function()
        error(spry.HTTPError(401, { message = "m" }))
      end }
      local run = entry({
        level({ step "mw" }, { handler_of("outer", respond) }),
        level({ broken }, { handler_of "own" }),
        level(nil, { handler_of("deeper", respond) }),
      }, function() return "x" end)
      run(ev)
      assert.equal("mw own:m outer:m /mw", table.concat(ev, " "))
    end)

    it("keep what the error says in its headers", function()
      local run = entry({ level({ step "mw" }, { handler_of("e", respond) }) }, function()
        error(spry.MethodNotAllowedError "GET, HEAD")
      end)
      local res = run(event())
      assert.equal("GET, HEAD", res.headers:get "allow")
      assert.equal("application/json", res.headers:get "content-type")
    end)

    it("give strings and tables the error's status", function()
      local run = entry({ level({ step "mw" }, { handler_of("e", function(err) return { oops = err.message } end) }) },
        function() error(spry.NotFoundError "gone") end)
      local res = run(event())
      assert.equal(404, res.status)
      assert.equal('{"oops":"gone"}', res.body)
    end)

    it("tell the error file all there is", function()
      local seen
      local run = entry({ level({ step "mw" }, { handler_of("e", function(err)
        seen = err
        return ""
      end) }) }, function() error({ code = 7 }) end)
      run(event())
      assert.equal(500, seen.status)
      assert.equal(7, seen.cause.code)
      assert.is_string(seen.message)
      assert.matches("stack traceback", seen.traceback)
      assert.equal(seen.message, tostring(seen))
    end)

    it("below 500 are not in the log, the others once, and only when nobody made something else of them", function()
      local function lines_of(handler, answer)
        local run = entry({ level({ step "mw" }, { answer and handler_of("e", answer) }) }, handler)
        return log.capture(function() run(event()) end)
      end
      local function broken() error "broken" end
      assert.equal(0, #lines_of(function() error(spry.NotFoundError()) end))
      assert.equal(1, #lines_of(broken))
      assert.equal(1, #lines_of(broken, respond))
      assert.equal(0, #lines_of(broken, function() return spry.Response("x", { status = 404 }) end))
      assert.equal(1, #lines_of(broken, function(err) error(err) end))
      assert.equal(2, #lines_of(broken, function() error "worse" end))
      local lines = lines_of(broken)
      assert.matches("GET /x: .*broken", lines[1])
      assert.matches("stack traceback", lines[1])
    end)

    it("reach onError once, and survive it", function()
      local calls = {}
      app.hooks.onError = function(err, ev)
        calls[#calls + 1] = { err, ev }
        error "in the hook"
      end
      local ev = event()
      local run = entry({ level { step "mw" } }, function() error "broken" end)
      local res
      local lines = log.capture(function() res = run(ev) end)
      app.hooks.onError = nil
      assert.equal(500, res.status)
      assert.equal(1, #calls)
      assert.matches("broken", calls[1][1].message)
      assert.equal(ev, calls[1][2])
      assert.matches("onError itself raised", lines[2])
    end)

    it("show their text to the client only in dev mode", function()
      local function body()
        local run = entry({ level { step "mw" } }, function() error "secret" end)
        local res
        log.capture(function() res = run(event()) end)
        assert.equal(500, res.status)
        return res.body
      end
      assert.equal("Internal Server Error", body())
      app.dev = true
      local text = body()
      app.dev = nil
      assert.matches("secret", text)
      assert.matches("stack traceback", text)
    end)

    it("whose body is no JSON are a plain 500", function()
      local run = entry({ level { step "mw" } }, function() error(spry.HTTPError(400, { body = { f = print } })) end)
      local res
      local lines = log.capture(function() res = run(event()) end)
      assert.equal(500, res.status)
      assert.equal(1, #lines)
    end)

    it("are caught after a wait too, with a traceback", function()
      local run = entry({ level { step "mw" } }, function()
        coroutine.yield()
        error "late"
      end)
      local res
      local lines = log.capture(function()
        local thread = coroutine.create(run)
        assert(coroutine.resume(thread, event()))
        res = select(2, assert(coroutine.resume(thread)))
      end)
      assert.equal(500, res.status)
      assert.matches("late", lines[1])
      assert.matches("stack traceback", lines[1])
    end)
  end)
end)
