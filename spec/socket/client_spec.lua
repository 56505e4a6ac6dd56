-- The client against the server itself, and against Node's package ws as a server.

local clients = require "spec.support.clients"
local clock = require "sprylua.clock"
local coroutines = require "spec.support.coroutines"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local websocket = require "sprylua.websocket"

local files = {
  ["routes/echo.get.lua"] = [[
    return function(event)
      local sent = (event.headers:get "x-test" or "") .. (event.headers:get "origin" or "")
      return event.ws:upgrade(function(ws)
        for kind, data in ws.events do
          if kind == "text" then
            if data == "headers" then data = sent end
            local code, reason = data:match "^close (%d+) ?(.*)"
            if code then ws:close(math.tointeger(code), reason) return end
            ws:sendText(data)
          elseif kind == "binary" then
            ws:sendBinary(data)
          end
        end
      end, { origins = "*", protocol = { "v2", "v1" }, maxMessage = 4 << 20 })
    end]],
  ["routes/strict.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws) ws.events:drain() end)
    end]],
  ["routes/relay.get.lua"] = [[
    local connect = require "sprylua.websocket".connect
    return function(event)
      local ws <close> = assert(connect(event.query:get "to"))
      ws:sendJson { hello = "there" }
      local kind, data = ws:receive(10)
      return { kind = kind, data = data }
    end]],
  ["routes/keep.get.lua"] = [[
    local connect = require "sprylua.websocket".connect
    local spry = require "sprylua"
    local kept = {}
    return function(event)
      local to = event.query:get "to"
      kept[#kept + 1] = assert(connect(to))                           -- nobody reads it
      spry.spawn(function() assert(connect(to)).events:drain() end)   -- this one waits
      spry.spawn(function() connect "ws://127.0.0.1:1/" end)          -- this one too, at first
      return tostring(#kept)
    end]],
  ["routes/index.get.lua"] = [[return function() return "no WebSocket" end]],
}

describe("a client", function()
  local running, outer

  before_each(function()
    outer = clock.use() -- real time, whatever other specs have set
    running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
  end)

  after_each(function()
    clock.use(outer)
    running:cleanup()
  end)

  local function address(path, host)
    return ("ws://%s:%d/%s"):format(host or "127.0.0.1", running.port, path)
  end

  -- Runs `fn(ws)` with a WebSocket to the server's route.
  local function with(path, opts, fn)
    return coroutines.run(function()
      local ws <close> = assert(websocket.connect(address(path), opts))
      return fn(ws)
    end)
  end

  it("echoes: texts, bytes of every size, JSON", function()
    with("echo", { maxMessage = 4 << 20 }, function(ws)
      for _, text in ipairs { "hi", "", "Grüße, 世界 🦊", "\0", ("x"):rep(125), ("x"):rep(65536) } do
        assert.is_true(ws:sendText(text))
        assert.same({ "text", text }, { ws:receive(10) })
      end
      for _, size in ipairs { 0, 1, 126, 65535, 65536, 3 << 20 } do
        local bytes = require("sprylua.core").crypto.random(size % (1 << 20)):rep(size > 1 << 20 and 3 or 1)
        ws:sendBinary(bytes)
        local kind, data = ws:receive(10)
        assert.equal("binary", kind)
        assert.is_true(data == bytes)
      end
      ws:sendJson { a = 1 }
      assert.same({ "text", '{"a":1}' }, { ws:receive(10) })
      assert.is_true(ws:ping "there?")
      assert.is_true(ws:flush())
    end)
    server.stop(running)
  end)

  it("gets a burst back in order", function()
    with("echo", nil, function(ws)
      for i = 1, 2000 do ws:sendText("message " .. i) end
      for i = 1, 2000 do assert.same({ "text", "message " .. i }, { ws:receive(10) }) end
    end)
  end)

  it("closes and is closed, with code and reason", function()
    with("echo", nil, function(ws)
      assert.is_false(ws.closed)
      assert.is_nil(ws.closeCode)
      ws:close(4001, "bye")
      assert.is_true(ws.closed)
      assert.same({ nil, "closed" }, { ws:close() })
      assert.same({ 4001, "" }, { ws.events:drain() })
      assert.same({ 4001, "" }, { ws.events:drain() })
      for _ in ws.events do error "there is no event behind the close" end
      assert.has_error(function() ws:receive() end, "ws:receive after the close event: the session is over, return")
    end)
    with("echo", nil, function(ws)
      ws:sendText "close 3000 you may go"
      assert.same({ "close", 3000, "you may go" }, { ws:receive(10) })
      assert.equal(3000, ws.closeCode)
      assert.equal("you may go", ws.closeReason)
      assert.is_true(ws.closed)
    end)
    server.stop(running)
  end)

  it("that stays is told 1001 when the server stops", function()
    with("strict", nil, function(ws)
      running:signal "TERM"
      assert.equal(1001, (ws.events:drain()))
    end)
    server.stop(running)
  end)

  it("sends header fields, an origin, and subprotocols", function()
    with("echo", { headers = { ["X-Test"] = "a" }, origin = "https://b.example", protocols = { "v1", "v2" } },
      function(ws)
        assert.equal("v2", ws.protocol)
        ws:sendText "headers"
        assert.same({ "text", "ahttps://b.example" }, { ws:receive(10) })
      end)
    with("echo", { protocols = { "v3" } }, function(ws) assert.is_nil(ws.protocol) end)
  end)

  it("finds the server by its name", function()
    coroutines.run(function()
      local ws <close> = assert(websocket.connect(address("echo", "localhost")))
      ws:sendText "x"
      assert.same({ "text", "x" }, { ws:receive(10) })
    end)
  end)

  it("is refused with the status and the header fields of the answer", function()
    local function refused(path, opts)
      return coroutines.run(function() return select(2, websocket.connect(address(path), opts)) end)
    end
    local message, answer = refused "nowhere"
    assert.equal("the server answered 404 Not Found to the WebSocket handshake", message)
    assert.equal(404, answer.status)
    assert.truthy(answer.headers:get "content-type")
    message, answer = refused("strict", { origin = "https://elsewhere.example" })
    assert.equal(403, answer.status)
    assert.equal("the server answered 403 Forbidden to the WebSocket handshake", message)
    assert.equal(200, select(2, refused "").status)
  end)

  it("says why there is no connection", function()
    local function failure(url, opts)
      return coroutines.run(function()
        local ws, message, answer = websocket.connect(url, opts)
        assert.is_nil(ws)
        assert.is_nil(answer)
        return message
      end)
    end
    server.stop(running)
    assert.equal(("no connection to 127.0.0.1, port %d: nobody listens there (ECONNREFUSED)"):format(running.port),
      failure(address "echo"))
    assert.truthy(failure "ws://nobody.invalid/":find("^the host nobody.invalid was not found: "))
    assert.truthy(failure "wss://127.0.0.1/":find("TLS, which is not there yet", 1, true))
  end)

  it("reaches an IPv6 address", function()
    local peers = require("spec.support.peer_server").listen "::1"
    local child = coroutines.start(websocket.connect, ("ws://[::1]:%d/"):format(peers.port))
    local peer = peers:peer()
    peer:accept()
    local ws = assert(child:result())
    ws:close()
    peers:close()
    assert.equal(1006, coroutines.run(function() return (ws.events:drain()) end))
  end)

  it("works in a route, without blocking the server that it asks", function()
    local body, status = running:get("/relay?to=" .. address "echo")
    assert.equal(200, status)
    assert.truthy(body:find('{\\"hello\\":\\"there\\"}', 1, true), body)
    assert.equal(500, select(2, running:get "/relay?to=wss://x"))
    server.stop(running)
  end)

  it("does not keep the server that holds it from stopping", function()
    local peers <close> = require("spec.support.peer_server").listen()
    local asking <close> = clients.start_curl(running.url .. "keep?to=" .. peers.url)
    peers:peer():accept()
    peers:peer():accept()
    asking:ended()
    assert.equal("1", asking.out)
    server.stop(running)
  end)

  it("is a mistake of the caller's when it is used wrongly", function()
    local here = debug.getinfo(1, "S").short_src:match "[^/]+$"
    local function raises(sentence, fn, ...)
      local ok, message = pcall(fn, ...)
      assert.is_false(ok)
      assert.truthy(message:find(sentence, 1, true), message)
      return message
    end
    for sentence, opts in pairs {
      ["has no option maxmessage; did you mean maxMessage?"] = { maxmessage = 1 },
      ["protocols must be a list of different names"] = { protocols = { "a b" } },
      ["origin must be an origin"] = { origin = "a\r\nb" },
      ["the header upgrade is the handshake's own"] = { headers = { Upgrade = "h2c" } },
      ["has a line break"] = { headers = { ["x-a"] = "b\r\nc" } },
      ["timeout must be a number of seconds"] = { timeout = 0 },
      ["protocols must"] = { protocols = { "a", "a" } },
    } do
      local message = raises(sentence, function() local _ = websocket.connect("ws://x", opts) end)
      assert.truthy(message:find(here, 1, true), message)
    end
    raises("takes the address as a string", websocket.connect)
    raises("takes a coroutine", coroutine.wrap(function()
      -- Where nobody may yield: in a comparison of table.sort.
      table.sort({ 1, 2 }, function() websocket.connect "ws://x" end)
    end))
    with("echo", nil, function(ws)
      local message = raises("a text is UTF-8: use ws:sendBinary", function() local _ = ws:sendText "\xff" end)
      assert.truthy(message:find(here, 1, true), message)
      raises("a string was expected, not nil", function() ws:sendText(nil) end)
      raises("not a close code", function() ws:close(1005) end)
      raises("a client's ws has no field clsed", function() return ws.clsed end)
      raises("can't be set", function() ws.user = "x" end)
      raises("call its methods with a colon", function() ws.receive() end)
      raises("a number of seconds from 0 to 1e9", function() ws:receive "soon" end)
      raises("a number of seconds from 0 to 1e9", function() ws:receive(2e9) end)
      for _, name in ipairs { "sendJson", "sendText", "close", "flush" } do
        message = raises("call its methods with a colon", function() ws[name] "x" end)
        assert.truthy(message:find(here, 1, true), message)
      end
      assert.truthy(raises("has no JSON form", function() ws:sendJson(print) end):find(here, 1, true))
      ws:sendText "x"
      assert.equal("x", select(2, ws:receive(math.huge)))
      ws.locals.user = "x"
      assert.equal("x", ws.locals.user)
      assert.equal("ws to a server", tostring(ws))
    end)
  end)
end)

describe("a client of Node's ws", function()
  local child

  local function start(scenario)
    child = clients.start_node("ws_server.js", "ws", scenario)
    return ("ws://127.0.0.1:%s/"):format(child:saw "listening on (%d+)\n")
  end

  after_each(function()
    if child then child:kill() end
    child = nil
  end)

  it("echoes texts, bytes, fragments; pings and is pinged; closes", function()
    local url = start "echo"
    coroutines.run(function()
      local ws <close> = assert(websocket.connect(url, { protocols = { "b", "a" } }))
      assert.equal("b", ws.protocol)
      for _, text in ipairs { "hi", "", "Grüße 🦊", ("x"):rep(70000) } do
        ws:sendText(text)
        assert.same({ "text", text }, { ws:receive(10) })
      end
      ws:sendBinary "\0\xff"
      assert.same({ "binary", "\0\xff" }, { ws:receive(10) })
      ws:sendText "fragments"
      assert.same({ "text", "one two three" }, { ws:receive(10) })
      ws:sendText "ping"
      assert.same({ "text", "pong: are you there?" }, { ws:receive(10) })
      ws:ping "from us"
      assert.same({ "text", "ping: from us" }, { ws:receive(10) })
      ws:close(4002, "enough")
      assert.same({ "close", 4002, "enough" }, { ws:receive(10) })
    end)
    assert.equal("closed 4002 enough\n", child:saw "(closed [^\n]+\n)")
  end)

  it("is closed, and sees a peer that goes away", function()
    local url = start "echo"
    coroutines.run(function()
      local ws <close> = assert(websocket.connect(url))
      ws:sendText "close"
      assert.same({ "close", 4003, "go" }, { ws:receive(10) })
      local other <close> = assert(websocket.connect(url))
      other:sendText "terminate"
      assert.same({ "close", 1006, "" }, { other:receive(10) })
    end)
  end)

  it("gets 2000 messages in order, and is refused with a status", function()
    local url = start "echo"
    coroutines.run(function()
      local ws <close> = assert(websocket.connect(url))
      ws:sendText "burst"
      for i = 1, 2000 do assert.same({ "text", tostring(i) }, { ws:receive(10) }) end
      local refused, message, answer = websocket.connect(url .. "refuse")
      assert.is_nil(refused)
      assert.equal("the server answered 401 Unauthorized to the WebSocket handshake", message)
      assert.equal(401, answer.status)
    end)
  end)
end)
