-- The default app over real TCP, by a client that sees every byte: what a peer in memory cannot show.
local frames = require "sprylua.testing.frames"
local server = require "spec.support.server"

describe("over TCP", function()
  local served

  before_each(function() served = server.serve("routes", { arguments = { "--log", "none" } }) end)
  after_each(function() served:cleanup() end)

  local function open(path) return server.session(served, path) end

  it("requests are answered in order, and the connection is kept", function()
    local client <close> = server.connect(served.port)
    client:send "GET /about HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert.equal(200, client:answer().status)
    assert.equal(404, client:answer().status)
    client:send "GET /about HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert.equal(200, client:answer().status)
    client:readAll()
  end)

  it("a request may come byte by byte", function()
    local client <close> = server.connect(served.port)
    for byte in ("GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n"):gmatch "." do
      client:send(byte)
      server.turn()
    end
    assert.equal("sprylua", client:answer():json().name)
  end)

  it("a session echoes, pongs, and closes", function()
    local client <close> = open "/chat"
    assert.equal("Connected to Spry WebSocket server!", client:frame().payload)
    client:sendFrame { opcode = "text", payload = "hi" }
    assert.equal("Echo: hi", client:frame().payload)
    client:sendFrame { opcode = "ping", payload = "p" }
    assert.equal("pong", client:frame().name)
    client:sendFrame { opcode = "close", payload = frames.closePayload(1000) }
    assert.equal(1000, frames.parseClose(client:frame().payload))
    client:readAll()
  end)

  it("a client that resets is missed by its room", function()
    local ann <close> = open "/room"
    assert.equal("User joined (1 online)", ann:frame().payload)
    local ben = open "/room"
    assert.equal("User joined (2 online)", ann:frame().payload)
    ben:send(frames.encode({ opcode = "text", payload = "half a frame" }):sub(1, 5))
    ben:close(true)
    assert.equal("User left (1 online)", ann:frame().payload)
  end)

  it("TERM says 1001 to the sessions, and the program ends with 0", function()
    local client <close> = open "/room"
    client:frame()
    served:signal "TERM"
    local frame = client:frame()
    assert.equal("close", frame.name)
    assert.equal(1001, (frames.parseClose(frame.payload)))
    client:sendFrame { opcode = "close", payload = frame.payload }
    client:readAll()
    client:close()
    assert.equal(0, served:ended())
  end)
end)
