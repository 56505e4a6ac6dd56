local temp_routes = require "spec.support.temp_routes"

describe("event.ws:upgrade", function()
  local options, app

  local function serve(opts)
    app = temp_routes.app({ ["ws.lua"] = function(event)
      return event.ws:upgrade(function(ws)
        ws:sendText(ws.protocol or "none")
        ws.events:drain()
      end, options)
    end }, opts)
    return app
  end

  after_each(function()
    app:close()
    options = nil
  end)

  local function refused(status, opts)
    local ws, res = app:ws("/ws", opts)
    assert.is_nil(ws)
    assert.equal(status, res.status)
    assert.matches("GET /ws: WebSocket refused with " .. status, app.log[#app.log])
    return res
  end

  describe("with a subprotocol", function()
    local function chosen(protocols)
      local ws = assert(app:ws("/ws", { protocols = protocols }))
      local text = ws:receive()
      ws:close(1000)
      return text
    end

    it("chooses the first of ours that the client asked for", function()
      options = { protocol = { "v2", "v1" } }
      serve()
      assert.equal("v2", chosen { "v1", "v2" })
      assert.equal("v1", chosen { "v0", "v1" })
      options = { protocol = "chat" }
      assert.equal("chat", chosen { "chat" })
    end)

    it("runs without one when the client asked for none of ours", function()
      options = { protocol = "spry-chat-v1" }
      serve()
      assert.equal("none", chosen {})
      assert.equal("none", chosen { "other" })
      options = nil
      assert.equal("none", chosen { "other" })
    end)

    it("names both lists when the route requires one", function()
      options = { protocol = { "v2", "v1" }, requireProtocol = true }
      serve()
      assert.equal("v1", chosen { "v1" })
      assert.matches("this endpoint speaks v2, v1, .*asked for x, y", refused(400, { protocols = { "x", "y" } }).body)
      assert.matches("asked for none", refused(400).body)
    end)
  end)

  describe("from a page", function()
    local function origin(value, host)
      return { headers = { origin = value, host = host } }
    end

    local function accepts(opts)
      local ws = assert(app:ws("/ws", opts))
      ws:close(1000)
    end

    it("of the same host is fine, of another one is a 403 that says what to do", function()
      serve()
      accepts()
      accepts(origin("http://example.org", "example.org"))
      accepts(origin("https://example.org", "example.org"))
      accepts(origin("https://EXAMPLE.org", "example.org:443"))
      accepts(origin("http://localhost:4000", "localhost:4000"))
      local res = refused(403, origin("https://evil.example", "example.org"))
      assert.matches("https://evil.example may not connect here", res.body)
      assert.matches("ws.origins", res.body)
      refused(403, origin("null", "example.org"))
      refused(403, origin("http://example.org:8080", "example.org"))
      refused(403, origin("http://example.org.evil.example", "example.org"))
      refused(403, origin("http://evil.example/example.org", "example.org"))
    end)

    it("may be listed in the config, or in the route, which counts more", function()
      serve { config = { ws = { origins = { "https://a.example" } } } }
      accepts(origin("https://a.example", "x"))
      refused(403, origin("http://x", "x"))
      options = { origins = { "https://b.example" } }
      accepts(origin("https://b.example", "x"))
      refused(403, origin("https://a.example", "x"))
      options = { origins = "*" }
      accepts(origin("https://c.example", "x"))
      accepts(origin("null", "x"))
    end)
  end)

  describe("without a proper handshake", function()
    it("is a 426 that says how", function()
      serve()
      local res = app:get "/ws"
      assert.equal(426, res.status)
      assert.equal("websocket", res.headers:get "upgrade")
      assert.equal("13", res.headers:get "sec-websocket-version")
      assert.is_true(#res.body > 20)
      res = refused(426, { headers = { ["Sec-WebSocket-Version"] = "8" } })
      assert.equal("13", res.headers:get "sec-websocket-version")
    end)

    it("is a 405 for another method, with Allow", function()
      serve()
      local res = app:post "/ws"
      assert.equal(405, res.status)
      assert.equal("GET", res.headers:get "allow")
    end)

    it("is a 400 for a bad key", function()
      serve()
      assert.matches("Sec%-WebSocket%-Key", refused(400, { headers = { ["Sec-WebSocket-Key"] = "short" } }).body)
    end)

    it("is a 501 where there are no WebSockets", function()
      serve { websocket = false }
      refused(501)
    end)
  end)

  describe("with compression", function()
    local function agreed(offer)
      local headers = { ["Sec-WebSocket-Extensions"] = offer or "permessage-deflate; client_max_window_bits" }
      local ws <close> = assert(app:ws("/ws", { headers = headers }))
      return ws.response.headers:get "sec-websocket-extensions"
    end

    local NONE_KEPT = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    it("agrees on none by default", function()
      serve()
      assert.is_nil(agreed())
      options = { compress = false }
      assert.is_nil(agreed())
    end)

    it("agrees on it for one route", function()
      options = { compress = true }
      serve()
      assert.equal(NONE_KEPT, agreed())
      options = { compress = { contextTakeover = true, windowBits = 11 } }
      assert.equal("permessage-deflate; server_max_window_bits=11; client_max_window_bits=11", agreed())
    end)

    it("agrees on it for all, and a route may say otherwise", function()
      serve { config = { ws = { compress = { contextTakeover = true, windowBits = 12 } } } }
      local kept = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
      assert.equal(kept, agreed())
      options = { compress = true } -- as the config has it
      assert.equal(kept, agreed())
      options = { compress = { contextTakeover = false } }
      assert.equal(NONE_KEPT, agreed())
      options = { compress = false }
      assert.is_nil(agreed())
    end)
  end)

  it("adds its headers to the 101", function()
    options = { compress = false, headers = { ["X-Room"] = "7" } }
    serve()
    local connection = app:connect()
    connection:send(require("sprylua.testing").handshake "/ws")
    assert.matches("\r\nx%-room: 7\r\n", connection:take():lower())
  end)

  it("takes whole numbers however they are written", function()
    options = { maxMessage = 2 ^ 16, maxBuffered = 2 ^ 40 }
    serve()
    local ws = assert(app:ws "/ws")
    ws:sendText(("x"):rep(65537))
    assert.equal("none", ws:receive())
    assert.equal(1009, select(3, ws:receive()))
  end)

  it("says what is wrong with its arguments", function()
    serve()
    for sentence, wrong in pairs {
      ["has no option protocols"] = { protocols = { "x" } },
      ["option protocol .* must be the name"] = { protocol = "a b" },
      ["option onSlow .* must be \"close\""] = { onSlow = "wait" },
      ["option maxMessage .* whole number of bytes from 1 to 1099511627776"] = { maxMessage = 0 },
      ["option maxBuffered .* whole number of bytes from 1 to 1099511627776"] = { maxBuffered = 1e20 },
      ["option pingInterval .* seconds"] = { pingInterval = "25" },
      ["option origins .* must be"] = { origins = "https://a.example" },
      ["option requireProtocol .* true or false"] = { requireProtocol = 1, protocol = "x" },
      ["needs the option protocol"] = { requireProtocol = true },
      ["option compress .* true, false, or a table"] = { compress = 1 },
      ["option compress .* threshold is a whole number"] = { compress = { threshold = "1 KiB" } },
      ["option compress .* without treshold"] = { compress = { treshold = 1 } },
      ["has connection, which the server writes itself"] = { headers = { Connection = "close" } },
      ["has sec%-websocket%-protocol, which"] = { headers = { ["Sec-WebSocket-Protocol"] = "x" } },
      ["has sec%-websocket%-x, which"] = { headers = { a = "b", ["sec-websocket-x"] = { "1", "2" } } },
      ["has content%-length, which"] = { headers = { ["Content-Length"] = 5 } },
      ["line break"] = { headers = { a = "\r\n" } },
    } do
      options = wrong
      assert.equal(500, select(2, app:ws "/ws").status)
      assert.matches(sentence, app.log[#app.log])
    end
  end)
end)
