local bodyLimit = require "sprylua.middleware.bodyLimit"
local temp_routes = require "spec.support.temp_routes"

describe("bodyLimit", function()
  local function length(event) return tostring(#event.request:text()) end

  local app
  setup(function()
    app = temp_routes.app({
      ["plain.lua"] = length,
      ["ignoring.lua"] = function() return "ok" end,
      ["chunks.lua"] = function(event)
        local n = 0
        for chunk in event.request:chunks() do n = n + #chunk end
        return tostring(n)
      end,
      ["small/_middleware.lua"] = bodyLimit { size = 10 },
      ["small/index.lua"] = length,
      ["small/larger/_middleware.lua"] = bodyLimit { size = 5000 },
      ["small/larger/index.lua"] = length,
      ["small/_error.lua"] = function(err) return "sorry: " .. err.message end,
    }, { config = { limits = { body = 1000 } } })
  end)
  teardown(function() app:close() end)

  local function post(path, n) return app:post(path, { body = ("x"):rep(n) }) end

  it("lowers what a body may have, and lets error files see the 413", function()
    assert.equal("10", post("/small", 10).body)
    local res = post("/small", 11)
    assert.equal(413, res.status)
    assert.equal("sorry: the request body is longer than its limit", res.body)
  end)

  it("raises it, over an outer one and over limits.body", function()
    assert.equal("5000", post("/small/larger", 5000).body)
    assert.equal(413, post("/small/larger", 5001).status)
  end)

  it("leaves the others as they are", function()
    assert.equal("1000", post("/plain", 1000).body)
    assert.equal(413, post("/plain", 1001).status)
  end)

  it("holds for chunked bodies, however they arrive", function()
    local head = "POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    local function send(path, ...)
      local connection = app:connect()
      connection:send(head:format(path))
      for _, bytes in ipairs { ... } do connection:send(bytes) end
      local answer = connection:answer "POST"
      connection:hangup()
      return answer.status, answer.body
    end
    assert.same({ 200, "10" }, { send("small", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n\r\n") })
    assert.equal(413, (send("small", "5\r\nhello\r\n", "6\r\nhello!\r\n0\r\n\r\n")))
    assert.equal(413, (send("small", "b\r\n"))) -- announced is enough
    assert.equal(413, (send("chunks", "3e9\r\n" .. ("x"):rep(1001) .. "\r\n0\r\n\r\n")))
    assert.same({ 200, "1000" }, { send("chunks", "3e8\r\n" .. ("x"):rep(1000) .. "\r\n0\r\n\r\n") })
  end)

  it("does not ask a client to go on sending what it will not read", function()
    local connection = app:connect()
    connection:send "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    assert.matches("^HTTP/1.1 413 ", connection:take())
    connection:hangup()
  end)

  it("is nothing to a handler that does not read", function()
    assert.equal("ok", post("/ignoring", 1001).body)
  end)

  it("is beyond all of them a 413 that no handler sees", function()
    local connection = app:connect()
    connection:send "POST /ignoring HTTP/1.1\r\nHost: x\r\nContent-Length: 9007199254740991\r\n\r\n"
    assert.matches("^HTTP/1.1 413 ", connection:take())
    connection:hangup()
  end)

  it("needs a size", function()
    assert.has_error(function() bodyLimit {} end)
    assert.has_error(function() bodyLimit { size = -1 } end)
    assert.has_error(function() bodyLimit { limit = 1 } end)
  end)
end)
