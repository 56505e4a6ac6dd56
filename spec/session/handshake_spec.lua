local frames = require "sprylua.testing.frames"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

local function quiet(ws) ws.events:drain() end

describe("an upgrade", function()
  it("is answered as RFC 6455 says", function()
    local app <close> = sessions.app(quiet)
    local ws = app:ws "/ws"
    local headers = ws.response.headers
    assert.equal(101, ws.response.status)
    assert.equal("websocket", headers:get("upgrade"):lower())
    assert.equal("upgrade", headers:get("connection"):lower())
    assert.equal(frames.accept, headers:get "sec-websocket-accept")
    assert.is_nil(headers:get "sec-websocket-protocol")
    assert.is_nil(headers:get "sec-websocket-extensions")
    assert.is_nil(headers:get "content-length")
    assert.is_nil(headers:get "transfer-encoding")
  end)

  it("accepts the header values that browsers and proxies send", function()
    local app <close> = sessions.app(quiet)
    for _, headers in ipairs {
      { connection = "keep-alive, Upgrade" },
      { connection = "upgrade", upgrade = "WebSocket" },
      { connection = { "keep-alive", "UPGRADE" } },
      { upgrade = "foo, websocket" },
      { origin = "http://localhost" },
      { ["sec-websocket-extensions"] = "permessage-deflate; client_max_window_bits" },
    } do
      local ws = app:ws("/ws", { headers = headers })
      assert.is_table(ws)
      assert.is_nil(ws.response.headers:get "sec-websocket-extensions")
      ws:close()
    end
  end)

  it("shows the request to the handler", function()
    local seen
    local app <close> = temp_routes.app {
      ["[name].get.lua"] = function(event)
        seen = {
          event.ws.isSupported, event.ws.isUpgradeRequest, event.ws.requestedProtocols, event.ws.origin,
          event.params.name, event.query:get "q",
        }
        return event.ws:upgrade(quiet)
      end,
    }
    app:ws("/room%201?q=x", { protocols = { "a", "b" }, headers = { origin = "http://localhost" } })
    assert.same({ true, true, { "a", "b" }, "http://localhost", "room 1", "x" }, seen)
  end)

  it("is seen as none in a plain request", function()
    local seen
    local app <close> = temp_routes.app {
      ["index.lua"] = function(event)
        seen = { event.ws.isSupported, event.ws.isUpgradeRequest, event.ws.requestedProtocols }
        return "plain"
      end,
    }
    app:get "/"
    assert.same({ true, false, {} }, seen)
    assert.equal("plain", app:get("/", { headers = { connection = "upgrade", upgrade = "h2c" } }).body)
    assert.is_false(seen[2])
  end)
end)

describe("an upgrade that cannot be", function()
  local app
  before_each(function()
    app = temp_routes.app { ["ws.lua"] = function(event) return event.ws:upgrade(quiet) end }
  end)
  after_each(function() app:close() end)

  local function refused(opts, status, text)
    local ws, response = app:ws("/ws", opts)
    assert.is_nil(ws)
    assert.equal(status, response.status)
    if text then assert.matches(text, response.body) end
    return response
  end

  it("is a 426 without the headers, which says what to send", function()
    local response = app:get "/ws"
    assert.equal(426, response.status)
    assert.equal("websocket", response.headers:get("upgrade"):lower())
    assert.equal("13", response.headers:get "sec-websocket-version")
    assert.is_true(#response.body > 10)
    refused({ headers = { connection = "keep-alive" } }, 426)
    refused({ headers = { upgrade = "h2c" } }, 426)
  end)

  it("is a 426 for another version", function()
    local response = refused({ headers = { ["sec-websocket-version"] = "8" } }, 426)
    assert.equal("13", response.headers:get "sec-websocket-version")
    assert.equal("websocket", response.headers:get("upgrade"):lower())
  end)

  it("is a 405 for another method", function()
    local response = app:post("/ws", { headers = require("sprylua.testing.handshake").headers() })
    assert.equal(405, response.status)
    assert.equal("GET", response.headers:get "allow")
  end)

  it("is a 400 for two origins, in whatever order", function()
    for _, origins in ipairs { { "http://localhost", "http://evil.com" }, { "http://evil.com", "http://localhost" } } do
      refused({ headers = { origin = origins } }, 400, "two Origin fields")
    end
  end)

  it("is a 400 for a key that is no key", function()
    refused({ headers = { ["sec-websocket-key"] = false } }, 400, "[Kk]ey")
    refused({ headers = { ["sec-websocket-key"] = "short" } }, 400, "[Kk]ey")
    refused({ headers = { ["sec-websocket-key"] = "!!!!!!!!!!!!!!!!!!!!!!==" } }, 400, "[Kk]ey")
    refused({ headers = { ["sec-websocket-key"] = { frames.key, frames.key } } }, 400)
  end)

  it("is a 501 where WebSocket is off", function()
    local off <close> = temp_routes.app({
      ["ws.get.lua"] = function(event)
        if event.query:has "ask" then return tostring(event.ws.isSupported) end
        return event.ws:upgrade(quiet)
      end,
    }, { websocket = false })
    local ws, response = off:ws "/ws"
    assert.is_nil(ws)
    assert.equal(501, response.status)
    assert.equal("false", off:get("/ws?ask").body)
  end)

  it("leaves the connection usable for HTTP", function()
    local connection = app:connect()
    connection:send(testing.handshake("/ws", { headers = { ["sec-websocket-version"] = "7" } }))
    assert.equal(426, connection:answer().status)
    connection:send "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert.equal(404, connection:answer().status)
  end)

  it("can be caught by the handler", function()
    local caught <close> = temp_routes.app {
      ["ws.get.lua"] = function(event)
        local ok, problem = pcall(event.ws.upgrade, event.ws, quiet)
        return { ok = ok, status = problem.status }
      end,
    }
    assert.same({ ok = false, status = 426 }, caught:get("/ws"):json())
  end)

  it("is the programmer's error without a function", function()
    local wrong <close> = sessions.app "no function"
    local ws, response = wrong:ws "/ws"
    assert.is_nil(ws)
    assert.equal(500, response.status)
    assert.matches("function", table.concat(wrong.log, "\n"))
  end)
end)

describe("handshakes in progress", function()
  local half = testing.handshake("/ws"):sub(1, -3)

  it("get headerTimeout for their head", function()
    local app <close> = sessions.app(quiet, nil, { config = { limits = { headerTimeout = 10 } } })
    local slow = app:connect()
    slow:send(half)
    app.clock:advance(9.9)
    assert.is_false(slow:closed())
    app.clock:advance(0.2)
    assert.equal(408, slow:answer().status)
    assert.is_true(slow:closed())
  end)

  it("count as connections, of which there is a limit", function()
    local app <close> = sessions.app(quiet, nil, { config = { limits = { connections = 3 } } })
    local list = {}
    for i = 1, 3 do
      list[i] = app:connect()
      list[i]:send(half)
    end
    local ws, response = app:ws "/ws"
    assert.is_nil(ws)
    assert.equal(503, response.status)
    list[1]:hangup()
    assert.is_table(app:ws "/ws")
  end)

  it("get requestTimeout for what the handler does before it decides", function()
    local app <close> = temp_routes.app({
      ["ws.get.lua"] = function(event)
        spry.sleep(1000)
        return event.ws:upgrade(quiet)
      end,
    }, { config = { limits = { requestTimeout = 20 } } })
    local ws, response = app:ws "/ws"
    assert.is_nil(ws)
    assert.equal(503, response.status)
  end)

  it("have heads of a bounded size, offers of extensions included", function()
    local app <close> = sessions.app(quiet, { compress = true }, { config = { limits = { headers = 4096 } } })
    local offers = ("permessage-deflate; x, "):rep(1000)
    local ws, response = app:ws("/ws", { headers = { ["sec-websocket-extensions"] = offers } })
    assert.is_nil(ws)
    assert.equal(431, response.status)
  end)
end)

describe("the answer to a handshake", function()
  it("repeats nothing that the client wrote but the subprotocol it chose from ours", function()
    local app <close> = sessions.app(quiet, { protocol = "chat", compress = true })
    local ws = app:ws("/ws?reflect", {
      protocols = { "reflect", "chat" },
      headers = {
        origin = "http://localhost", ["x-reflect"] = "reflect", cookie = "a=reflect", ["user-agent"] = "reflect",
        ["sec-websocket-extensions"] = "reflect; reflect=reflect, permessage-deflate",
      },
    })
    assert.equal("chat", ws.protocol)
    local fields = ws.response.headers
    assert.is_true(#fields >= 5)
    for _, field in ipairs(fields) do assert.is_nil(table.concat(field, " "):find("reflect", 1, true)) end
  end)
end)

describe("the origin", function()
  local function try(origins, origin)
    local app <close> = sessions.app(quiet, { origins = origins })
    local ws, response = app:ws("/ws", { headers = { origin = origin or nil } })
    return ws and 101 or response.status
  end

  it("is checked against the host when there is one", function()
    assert.equal(101, try(nil, nil))
    assert.equal(101, try(nil, "http://localhost"))
    assert.equal(403, try(nil, "http://evil.example"))
    assert.equal(403, try(nil, "null"))
    assert.equal(403, try(nil, "http://localhost.evil.example"))
  end)

  it("may be listed in the settings", function()
    local app <close> = sessions.app(quiet, nil, { config = { ws = { origins = { "https://app.example" } } } })
    assert.is_table(app:ws("/ws", { headers = { origin = "https://app.example" } }))
    assert.equal(403, select(2, app:ws("/ws", { headers = { origin = "http://localhost" } })).status)
    assert.is_table(app:ws "/ws")
  end)

  it("may be listed, or be any", function()
    assert.equal(101, try("*", "http://evil.example"))
    assert.equal(101, try({ "https://app.example" }, "https://app.example"))
    assert.equal(403, try({ "https://app.example" }, "https://other.example"))
  end)
end)

describe("a subprotocol", function()
  local function open(opts, protocols)
    local chosen
    local app <close> = sessions.app(function(ws)
      chosen = ws.protocol
      ws.events:drain()
    end, opts)
    local ws, response = app:ws("/ws", { protocols = protocols })
    if not ws then return nil, response end
    assert.equal(ws.protocol, chosen)
    return ws
  end

  it("is the one that the client asked for", function()
    assert.equal("chat", open({ protocol = "chat" }, { "chat" }).protocol)
    assert.equal("chat", open({ protocol = "chat" }, { "other", "chat" }).protocol)
  end)

  it("is the server's favourite of those asked for", function()
    assert.equal("v2", open({ protocol = { "v3", "v2", "v1" } }, { "v1", "v2" }).protocol)
  end)

  it("is none when the client asked for none or for others: never a 500", function()
    assert.is_nil(open({ protocol = "spry-chat-v1" }, {}).protocol)
    assert.is_nil(open({ protocol = "spry-chat-v1" }, { "mqtt" }).protocol)
    assert.is_nil(open({}, { "mqtt" }).protocol)
  end)

  it("can be required: a 400 then names both lists", function()
    for _, asked in ipairs { {}, { "mqtt" } } do
      local ws, response = open({ protocol = { "v2", "v1" }, requireProtocol = true }, asked)
      assert.is_nil(ws)
      assert.equal(400, response.status)
      assert.matches("v2", response.body)
      assert.matches("v1", response.body)
      for _, name in ipairs(asked) do assert.matches(name, response.body) end
    end
    assert.equal("v1", open({ protocol = { "v2", "v1" }, requireProtocol = true }, { "v1" }).protocol)
  end)
end)

describe("middleware round an upgrade", function()
  it("may add headers and cookies to the 101", function()
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(event, next)
        event.cookies:set("seen", "1")
        local response = next()
        assert(response.status == 101)
        response.headers:set("x-request-id", "abc")
        return response
      end,
      ["ws.get.lua"] = function(event)
        return event.ws:upgrade(function(ws) ws:sendText "open" end, { headers = { ["x-own"] = "yes" } })
      end,
    }
    local ws = app:ws "/ws"
    assert.equal("abc", ws.response.headers:get "x-request-id")
    assert.equal("yes", ws.response.headers:get "x-own")
    assert.matches("^seen=1", ws.response.headers:get "set-cookie")
    assert.equal("open", ws:receive())
  end)

  it("may refuse before the handler", function()
    local started = false
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(event, next)
        if event.headers:has "authorization" then return next() end
        error(spry.HTTPError(401, { body = { error = "Unauthorized" } }))
      end,
      ["ws.get.lua"] = function(event)
        return event.ws:upgrade(function(ws)
          started = true
          ws.events:drain()
        end)
      end,
    }
    local ws, response = app:ws "/ws"
    assert.is_nil(ws)
    assert.equal(401, response.status)
    assert.equal("Unauthorized", response:json().error)
    assert.is_false(started)
    assert.is_table(app:ws("/ws", { headers = { authorization = "x" } }))
    assert.is_true(started)
  end)

  it("may cancel after the handler, by another response", function()
    local started = false
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(_, next)
        next()
        return spry.Response.text("changed my mind", { status = 403 })
      end,
      ["ws.get.lua"] = function(event) return event.ws:upgrade(function() started = true end) end,
    }
    local connection = app:connect()
    connection:send(testing.handshake "/ws")
    local response = connection:answer()
    assert.equal(403, response.status)
    assert.equal("changed my mind", response.body)
    assert.is_false(started)
    connection:send(testing.handshake "/ws")
    assert.equal(403, connection:answer().status)
  end)

  it("may wait before it lets the upgrade pass", function()
    local app <close> = temp_routes.app {
      ["_middleware.lua"] = function(_, next)
        spry.sleep(5)
        local response = next()
        spry.sleep(5)
        return response
      end,
      ["ws.get.lua"] = function(event) return event.ws:upgrade(sessions.echo()) end,
    }
    local ws = app:ws("/ws", { early = frames.encode { opcode = "text", payload = "early" } })
    assert.equal("early", ws:receive())
    assert.is_true(app.clock.now() >= 10)
  end)
end)
