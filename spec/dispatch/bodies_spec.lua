-- What handlers and clients may do with a body besides sending it whole and reading it whole: come late, stop in the
-- middle, read in another coroutine, go away.
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local function head(path, length, more)
  return ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n"):format(path, length, more or "")
end

local GET = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

describe("a body", function()
  local seen, app

  local files = {
    ["hello.lua"] = function() return "hello" end,
    ["begin.lua"] = function(event)
      seen[#seen + 1] = "begun"
      return event.request:text()
    end,
    ["first.lua"] = function(event)
      return "first: " .. event.request:chunks()()
    end,
    ["spawned.lua"] = function(event)
      local text
      local task <close> = spry.spawn(function() text = event.request:text() end)
      while not task.done do spry.sleep(1) end
      return text
    end,
    ["both.lua"] = function(event)
      local _ <close> = spry.spawn(function() event.request:text() end)
      return event.request:text()
    end,
    ["wrapped.lua"] = function(event)
      local read = coroutine.wrap(function() return event.request:text() end)
      local got = read()
      return { yielded = got == nil }
    end,
    ["late.lua"] = function(event)
      spry.sleep(40)
      return event.request:text()
    end,
    ["again.lua"] = function(event)
      local _, first = pcall(event.request.text, event.request)
      local _, second = pcall(event.request.json, event.request)
      local _, third = pcall(function() event.request:chunks() end)
      seen = { first.status, first.message, rawequal(first, second), third }
      error(first, 0)
    end,
    ["kept.lua"] = function(event)
      seen[1] = event.request
      return "ok"
    end,
    ["guarded/_middleware.lua"] = function(event, next)
      seen[#seen + 1] = event.request:text()
      return next()
    end,
    ["guarded/json.lua"] = function(event) return { got = event.request:json() } end,
    ["guarded/chunks.lua"] = function(event) event.request:chunks() end,
  }

  before_each(function()
    seen = {}
    app = temp_routes.app(files, { config = { limits = { bodyTimeout = 30, requestTimeout = 60 } } })
  end)
  after_each(function() app:close() end)

  it("need not be here for its handler to begin", function()
    local connection = app:connect()
    connection:send(head("/begin", 2))
    assert.same({ "begun" }, seen)
    connection:send "hi"
    assert.equal("hi", connection:answer("POST").body)
  end)

  it("may be left in the middle: what is small is skipped, and the connection goes on", function()
    local connection = app:connect()
    connection:send(head("/first", 100000) .. "abc")
    local answer = connection:answer "POST"
    assert.equal("first: abc", answer.body)
    assert.is_nil(answer.headers:get "connection")
    connection:send(("x"):rep(100000 - 3) .. GET)
    assert.equal("hello", connection:answer().body)
  end)

  it("may be left in the middle: what is large ends the connection", function()
    local connection = app:connect()
    connection:send(head("/first", 1000000) .. "abc")
    local answer = connection:answer "POST"
    assert.equal("first: abc", answer.body)
    assert.equal("close", answer.headers:get "connection")
    connection:send(("x"):rep(1000) .. GET)
    assert.equal("", connection:take())
  end)

  it("may be left in the middle of its chunks", function()
    local connection = app:connect()
    connection:send "POST /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    assert.equal("first: abc", connection:answer("POST").body)
    connection:send("3e8\r\n" .. ("x"):rep(1000) .. "\r\n0\r\n\r\n" .. GET)
    assert.equal("hello", connection:answer().body)
  end)

  it("may be read in another coroutine, which the handler waits for", function()
    local connection = app:connect()
    connection:send(head("/spawned", 4) .. "ab")
    connection:send "cd"
    assert.equal("abcd", connection:answer("POST").body)
  end)

  it("is not read by two at once", function()
    local connection = app:connect()
    connection:send(head("/both", 4))
    assert.equal(500, connection:answer("POST").status)
    assert.matches("another coroutine is waiting in reading the body already", table.concat(app.log, "\n"))
  end)

  it("yields the coroutine that reads to whoever runs it", function()
    local connection = app:connect()
    connection:send(head("/wrapped", 4))
    assert.is_true(connection:answer("POST"):json().yielded)
  end)

  it("that its client holds back until it is asked for has its time from then on", function()
    local connection = app:connect()
    connection:send(head("/late", 2, "Expect: 100-continue\r\n"))
    for _ = 1, 40 do app.clock:advance(1) end
    assert.matches("^HTTP/1.1 100 ", connection:take())
    app.clock:advance(20)
    connection:send "hi"
    assert.equal("hi", connection:answer("POST").body)
  end)

  it("that breaks off fails everybody who reads it", function()
    local connection = app:connect()
    connection:send(head("/again", 10) .. "abc")
    connection:finish()
    assert.equal(400, connection:answer("POST").status)
    assert.same({ 400, "the request body was broken off", true }, { table.unpack(seen, 1, 3) })
    assert.matches("no chunks left", seen[4])
  end)

  it("with a malformed chunk is a 400 of its reader's", function()
    local connection = app:connect()
    connection:send "POST /again HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection:send "3\r\nabcd\r\n"
    assert.equal(400, connection:answer("POST").status)
    assert.equal(400, seen[1])
  end)

  it("is read by a middleware and by the handler, but not in chunks then", function()
    assert.same({ 1 }, app:post("/guarded/json", { body = "[1]" }):json().got)
    assert.same({ "[1]" }, seen)
    assert.equal(500, app:post("/guarded/chunks", { body = "x" }).status)
  end)

  it("of any method may be read, GET too", function()
    for _, method in ipairs { "GET", "DELETE", "PATCH" } do
      assert.equal("hi", app:request(method, "/begin", { body = "hi" }).body)
    end
  end)

  it("is not there when the request is over", function()
    app:post("/kept", { body = "x" })
    local ok, message = pcall(function() return seen[1]:text() end)
    assert.is_false(ok)
    assert.matches("over", message)
  end)
end)
