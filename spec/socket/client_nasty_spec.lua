-- The client against servers that misbehave: connect answers with nil and a sentence, a session with a close event, and
-- nothing stays open behind either.

local clock = require "sprylua.clock"
local coroutines = require "spec.support.coroutines"
local frames = require "sprylua.testing.frames"
local peer_server = require "spec.support.peer_server"
local server = require "spec.support.server"
local tasks = require "sprylua.tasks"
local uv = require "luv"
local websocket = require "sprylua.websocket"

-- Sockets that are open in this process, and timers that run.
local function open_handles()
  local count = 0
  uv.walk(function(handle)
    local kind = uv.handle_get_type(handle)
    local counts = kind == "tcp" or kind == "timer" and handle:is_active()
    if counts and not handle:is_closing() then count = count + 1 end
  end)
  return count
end

describe("a client", function()
  local peers, before, outer

  before_each(function()
    outer = clock.use() -- real time, whatever other specs have set
    before = open_handles()
    peers = peer_server.listen()
  end)

  after_each(function()
    clock.use(outer)
    peers:close()
    server.wait(function()
      collectgarbage()
      return open_handles() <= before
    end, "end of all sockets and timers")
  end)

  local function connect(opts)
    return coroutines.start(websocket.connect, peers.url, opts)
  end

  -- A session with a peer that did its handshake well.
  local function open(opts, change)
    local running, peer = connect(opts), peers:peer()
    peer:accept(change)
    local ws, message = running:result()
    return assert(ws, message), peer
  end

  local function events(ws)
    return coroutines.run(function()
      local list = {}
      for kind, data, reason in ws.events do list[#list + 1] = { kind, data, reason } end
      return list
    end)
  end

  describe("whose server answers the handshake badly", function()
    local function replace(pattern, by)
      return function(text) return (text:gsub(pattern, by)) end
    end

    for name, case in pairs {
      ["with the wrong key"] = { replace("Accept: %S+", "Accept: " .. frames.accept), "does not answer our key" },
      ["without a key"] = { replace("Sec%-WebSocket%-Accept: %S+\r\n", ""), "does not answer our key" },
      ["with two keys"] = { replace("(Sec%-WebSocket%-Accept: %S+\r\n)", "%1%1"), "does not answer our key" },
      ["for another protocol"] = { replace("Upgrade: websocket", "Upgrade: h2c"), "another protocol than websocket" },
      ["without Upgrade"] = { replace("Upgrade: websocket\r\n", ""), "another protocol than websocket" },
      ["without Connection"] = { replace("Connection: Upgrade\r\n", ""), "no Connection: Upgrade" },
      ["with an extension"] = { replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        "an extension that was not offered" },
      ["with a subprotocol that was not offered"] = {
        replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), "a subprotocol that was not offered" },
      ["with HTTP/1.0"] = { replace("HTTP/1.1", "HTTP/1.0"), "is not HTTP/1.1" },
      ["with a status of two digits"] = { replace("101", "10"), "is not HTTP/1.1" },
      ["with a folded line"] = { replace("Upgrade: websocket", "Upgrade:\r\n websocket"), "malformed header line" },
      ["with a bare line feed"] = { replace("Upgrade: websocket\r", "Upgrade: websocket"), "malformed header line" },
      ["with a space before the colon"] = { replace("Upgrade: ", "Upgrade : "), "malformed header line" },
      ["with a NUL"] = { replace("websocket\r", "websocket\0\r"), "malformed header line" },
      ["with garbage"] = { function() return "\0\1\2\3 what is this" end, "is not HTTP/1.1" },
      ["with SSH"] = { function() return "SSH-2.0-OpenSSH_9.2\r\n" end, "is not HTTP/1.1" },
      ["without an end"] = { function() return "HTTP/1.1 101 OK\r\n" .. ("X-A: 123456789\r\n"):rep(1100) end, "long" },
      ["with one long line"] = { function() return "HTTP/1.1 " .. ("1"):rep(20000) end, "too long" },
      ["with a long head that is whole"] = {
        replace("\r\n\r\n", "\r\n" .. ("X-A: 1234567890\r\n"):rep(1000) .. "\r\n"), "too long" },
    } do
      it(name, function()
        local running, peer = connect(), peers:peer()
        peer:accept(case[1])
        local ws, message = running:result()
        assert.is_nil(ws)
        assert.truthy(message:find(case[2], 1, true), message)
        peer:waitForEnd()
      end)
    end

    it("by closing at once, half way, or with a reset", function()
      for _, act in ipairs {
        function(peer) peer:close() end,
        function(peer) peer:close(true) end,
        function(peer) peer:send "HTTP/1.1 101 Switching Proto" server.sleep(0.02) peer:close() end,
        function(peer) peer:send "HTTP/1.1 101 Switching Proto" server.sleep(0.02) peer:close(true) end,
      } do
        local running, peer = connect(), peers:peer()
        peer:head()
        act(peer)
        local ws, message = running:result()
        assert.is_nil(ws)
        assert.equal("the server closed the connection before it answered the handshake", message)
      end
    end)

    it("by not answering", function()
      local running, peer = connect { timeout = 0.05 }, peers:peer()
      local ws, message = running:result()
      assert.is_nil(ws)
      assert.equal(("no WebSocket at 127.0.0.1:%d within 0.05 s"):format(peers.port), message)
      peer:waitForEnd()
    end)

    it("by refusing, or redirecting: with the answer", function()
      local running, peer = connect(), peers:peer()
      peer:head()
      peer:send "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 Forbidden\r\nX-Why: a\r\nX-Why: b\r\n\r\nbody"
      local ws, message, answer = running:result()
      assert.is_nil(ws)
      assert.equal("the server answered 403 Forbidden to the WebSocket handshake", message)
      assert.equal(403, answer.status)
      assert.equal("a, b", answer.headers:get "x-why")

      running, peer = connect(), peers:peer()
      peer:head()
      peer:send "HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\n\r\n"
      ws, message, answer = running:result()
      assert.is_nil(ws)
      assert.equal("the server redirects to ws://elsewhere/ (301), which a WebSocket does not follow", message)
      assert.equal("ws://elsewhere/", answer.headers:get "location")
    end)
  end)

  it("takes an answer, an interim one before it and frames behind it, in one packet or byte by byte", function()
    for _, size in ipairs { 100000, 1 } do
      local running, peer = connect { protocols = { "b", "a" } }, peers:peer()
      local text
      peer:accept(function(good)
        text = "HTTP/1.1 100 Continue\r\n\r\n" .. good:gsub("\r\n\r\n", "\r\nsec-websocket-protocol: a\r\n\r\n")
          .. frames.encode { opcode = "text", payload = "early", mask = false }
          .. frames.encode { opcode = "binary", payload = ("x"):rep(300), mask = false }
          .. frames.encode { opcode = "close", payload = "\x0f\xa1bye", mask = false }
        return ""
      end)
      for at = 1, #text, size do
        peer:send(text:sub(at, at + size - 1))
        if size == 1 then server.turn() end
      end
      local ws = assert(running:result())
      assert.equal("a", ws.protocol)
      assert.same({ { "text", "early" }, { "binary", ("x"):rep(300) }, { "close", 4001, "bye" } }, events(ws))
      assert.equal("\x0f\xa1", peer:next().payload)
      peer:close()
    end
  end)

  describe("whose server breaks the protocol", function()
    for name, case in pairs {
      ["with a masked frame"] = { { opcode = "text", payload = "x", mask = "abcd" }, 1002 },
      ["with a reserved bit"] = { { opcode = "text", payload = "x", rsv = 4 }, 1002 },
      ["with a continuation of nothing"] = { { opcode = "continuation", payload = "x" }, 1002 },
      ["with a text that is not UTF-8"] = { { opcode = "text", payload = "\xff" }, 1007 },
      ["with a message that is too long"] = { { opcode = "binary", length = 1 << 40 }, 1009 },
    } do
      it(name .. ": it closes", function()
        local ws, peer = open()
        peer:frame(case[1])
        local list = events(ws)
        assert.equal(1, #list)
        assert.equal(case[2], list[1][2])
        assert.equal(case[2], ws.closeCode)
        assert.is_true(ws.closed)
        local frame = peer:next()
        assert.equal("close", frame.name)
        assert.is_true(frame.masked)
        assert.equal(case[2], (frames.parseClose(frame.payload)))
        peer:close()
      end)
    end

    it("and does not close its socket: the client does, in time", function()
      local manual = clock.manual()
      local usual = clock.use(manual)
      local _ <close> = tasks.defer(function() clock.use(usual) end)
      local ws, peer = open()
      peer:frame { opcode = "close", payload = "\x03\xe8" }
      server.wait(function() return manual:pending() == 2 end, "closing")
      manual:advance(1) -- nobody takes the close event
      assert.equal("close", peer:next().name)
      assert.is_true(ws.closed)
      assert.is_false(peer.ended)
      manual:advance(5)
      peer:waitForEnd()
      assert.equal(0, manual:pending())
      assert.same({ { "close", 1000, "" } }, events(ws))
    end)
  end)

  it("whose server vanishes sees 1006, wherever it waits", function()
    for _, reset in ipairs { false, true } do
      local ws, peer = open()
      local reading = coroutines.start(function() return ws:receive() end)
      peer:send "\x81\x05hel"
      server.sleep(0.02)
      peer:close(reset)
      assert.same({ "close", 1006, "" }, { reading:result() })
      assert.is_true(ws.closed)
      assert.same({ nil, "closed" }, { ws:sendText "x" })
      assert.same({ nil, "closed" }, { ws:flush() })
      assert.equal(0, ws.bufferedAmount)
    end
  end)

  it("whose server does not read waits in flush, and is closed over maxBuffered", function()
    local ws, peer = open { maxBuffered = 1 << 20 }
    peer.tcp:read_stop()
    local piece = ("x"):rep(1 << 16)
    local sent, message
    repeat sent = ws:sendBinary(piece) until sent ~= true
    assert.is_false(sent)
    local flushing = coroutines.start(function() return ws:flush() end)
    assert.is_false(flushing.done)
    repeat sent, message = ws:sendBinary(piece) until sent == nil
    assert.equal("closed", message)
    assert.is_true(ws.closed)
    assert.is_true(ws.bufferedAmount > 1 << 20)
    peer:close(true)
    assert.same({ nil, "closed" }, { flushing:result() })
  end)

  it("whose server is slow for a while goes on when there is room", function()
    local ws, peer = open { maxBuffered = 1 << 26 }
    peer.tcp:read_stop()
    local piece, count = ("x"):rep(1 << 16), 0
    repeat count = count + 1 until not ws:sendBinary(piece)
    local flushing = coroutines.start(function() return ws:flush() end)
    local bytes = 0
    peer.tcp:read_start(function(_, more) bytes = bytes + #(more or "") end)
    assert.is_true(flushing:result())
    server.wait(function() return bytes == count * (#piece + 14) end, "rest")
  end)

  it("stops reading while nobody takes what comes", function()
    local ws, peer = open()
    local frame = frames.encode { opcode = "binary", payload = ("x"):rep(60000), mask = false }
    for _ = 1, 400 do peer:send(frame) end
    server.sleep(0.1)
    assert.is_true(peer.tcp:get_write_queue_size() > 0)
    coroutines.run(function()
      for _ = 1, 400 do assert.equal(60000, #select(2, ws:receive())) end
    end)
    assert.equal(0, peer.tcp:get_write_queue_size())
    peer:frame { opcode = "ping", payload = "p" }
    assert.equal("pong", peer:next().name)
  end)

  describe("that is cancelled", function()
    it("anywhere on its way leaves nothing open", function()
      -- Turn by turn: in the lookup, in the connection, in the handshake.
      for turns = 0, 6 do
        local running = connect()
        for _ = 1, turns do server.turn() end
        assert.is_true(coroutine.close(running.thread))
      end
    end)

    it("in receive leaves the place to another", function()
      local ws, peer = open()
      local first = coroutines.start(function() ws:receive() end)
      assert.has_error(function() coroutines.run(function() ws:receive() end) end)
      coroutine.close(first.thread)
      local second = coroutines.start(function() return ws:receive() end)
      peer:frame { opcode = "text", payload = "for the second" }
      assert.same({ "text", "for the second" }, { second:result() })
    end)

    it("closes what it holds", function()
      local running = coroutines.start(function()
        local ws <close> = assert(websocket.connect(peers.url))
        ws.events:drain()
      end)
      local peer = peers:peer()
      peer:accept()
      server.sleep(0.02)
      coroutine.close(running.thread)
      local frame = peer:next()
      assert.equal("\x03\xe8", frame.payload)
      peer:frame { opcode = "close", payload = frame.payload }
      peer:close()
    end)
  end)

  it("that leaves its block by an error says 1011", function()
    local running = coroutines.start(function()
      local _ <close> = assert(websocket.connect(peers.url))
      error "on purpose"
    end)
    local peer = peers:peer()
    peer:accept()
    assert.equal("\x03\xf3", peer:next().payload)
    assert.has_error(function() running:result() end)
    peer:close()
  end)

  it("that is closed while another coroutine reads tells it the end", function()
    local ws, peer = open()
    local reading = coroutines.start(function() return ws:receive() end)
    coroutines.run(function()
      local _ <close> = ws
    end)
    assert.equal("\x03\xe8", peer:next().payload)
    peer:frame { opcode = "text", payload = "too late" }
    peer:frame { opcode = "close", payload = "\x03\xe8" }
    assert.same({ "close", 1000, "" }, { reading:result() })
    peer:close()
  end)

  it("that is forgotten says that it goes, and is closed", function()
    local ws, peer = open()
    ws.locals.self, ws.locals.events = ws, ws.events
    ws = nil -- luacheck: ignore
    server.wait(function()
      collectgarbage()
      return #peer.received > 0
    end, "goodbye of a forgotten client")
    assert.equal("\x03\xe9", peer:next().payload)
    peer:frame { opcode = "text", payload = "too late" }
    peer:frame { opcode = "close", payload = "\x03\xe9" }
    peer:close()
  end)

  it("that is forgotten closes in order when the server does so too", function()
    local ws, peer = open()
    peer:frame { opcode = "close", payload = "\x0f\xa0" }
    server.sleep(0.02)
    assert.is_false(ws.closed)
    ws = nil -- luacheck: ignore
    server.wait(function()
      collectgarbage()
      return #peer.received > 0
    end, "goodbye of a forgotten client")
    assert.equal("close", peer:next().name)
    peer:close()
  end)

  it("is not forgotten by who waits for it", function()
    local waiting = coroutines.start(function() return assert(websocket.connect(peers.url)):receive() end)
    local peer = peers:peer()
    peer:accept()
    for _ = 1, 3 do
      server.sleep(0.01)
      collectgarbage()
    end
    peer:frame { opcode = "text", payload = "here" }
    assert.same({ "text", "here" }, { waiting:result() })
  end)

  describe("under a clock of the spec's", function()
    local manual, usual

    before_each(function()
      manual = clock.manual()
      usual = clock.use(manual)
    end)

    after_each(function() clock.use(usual) end)

    it("gives up a handshake at its time, whatever the time is", function()
      local running, peer = connect { timeout = 30 }, peers:peer()
      peer:head()
      manual:advance(29.9)
      assert.is_false(running.done)
      manual:advance(0.1)
      assert.is_nil(running:result())
      peer:waitForEnd()
    end)

    it("receives until a timeout", function()
      local ws, peer = open()
      local reading = coroutines.start(function() return ws:receive(5) end)
      manual:advance(4.9)
      assert.is_false(reading.done)
      assert(coroutine.resume(reading.thread)) -- a stray one
      assert.is_false(reading.done)
      manual:advance(0.1)
      assert.same({ nil, "timeout" }, { reading:result() })
      assert.same({ nil, "timeout" }, { ws:receive(0) })
      peer:frame { opcode = "text", payload = "x" }
      assert.same({ "text", "x" }, { coroutines.run(function() return ws:receive(5) end) })
      ws:close()
      peer:close()
      events(ws)
    end)

    it("pings, and takes a silent server for lost", function()
      local ws, peer = open { pingInterval = 10, deadAfter = 25 }
      manual:advance(10)
      assert.equal("ping", peer:next().name)
      peer:frame { opcode = "pong" }
      server.sleep(0.05) -- until it is here
      manual:advance(24.9)
      assert.equal("ping", peer:next().name)
      assert.equal("ping", peer:next().name)
      assert.is_false(ws.closed)
      manual:advance(0.1)
      peer:waitForEnd()
      assert.same({ { "close", 1006, "" } }, events(ws))
      assert.equal(0, manual:pending())
    end)
  end)
end)
