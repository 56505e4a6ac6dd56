-- What the client asks. What it makes of answers, over sockets and byte by byte, is in
-- spec/socket/client_nasty_spec.lua.

local frames = require "sprylua.testing.frames"
local handshake = require "sprylua.client.handshake"
local headers = require "sprylua.headers"

local target = { authority = "[::1]:3000", path = "/chat?x=1" }

local function parsed(text)
  local answer, rest = handshake.parse(text)
  assert(answer, rest)
  return answer, rest
end

describe("a client's handshake", function()
  it("asks as RFC 6455 says", function()
    local text = handshake.request(target, frames.key, { headers = headers.from { ["x-a"] = "b" }, origin = "http://o",
      protocols = { "b", "a" } })
    assert.equal("GET /chat?x=1 HTTP/1.1\r\nHost: [::1]:3000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      .. "Sec-WebSocket-Key: " .. frames.key .. "\r\nSec-WebSocket-Version: 13\r\n"
      .. "Sec-WebSocket-Protocol: b, a\r\nOrigin: http://o\r\nx-a: b\r\n\r\n", text)
  end)

  it("may name another host", function()
    local text = handshake.request(target, frames.key, { headers = headers.from { Host = "example.org" } })
    assert.truthy(text:find("host: example.org\r\n", 1, true))
    assert.is_nil(text:find("Host: ", 1, true))
  end)

  it("has a new key each time: 16 bytes in base64", function()
    local seen = {}
    for _ = 1, 500 do
      local key = handshake.key()
      assert.truthy(key:find "^[%w+/]+==$")
      assert.equal(24, #key)
      assert.is_nil(seen[key])
      seen[key] = true
    end
  end)

  it("keeps its own fields for itself", function()
    for _, name in ipairs { "Upgrade", "connection", "Sec-WebSocket-Key", "Content-Length" } do
      assert.truthy(handshake.problemIn(headers.from { [name] = "x" }))
    end
    assert.is_nil(handshake.problemIn(headers.from { cookie = "a=b" }))
  end)

  it("agrees on a subprotocol that was offered, or on none", function()
    local good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n"
      .. "Sec-WebSocket-Accept: " .. frames.accept .. "\r\n"
    local answer, rest = parsed(good .. "\r\nrest")
    assert.equal("rest", rest)
    assert.same({ true }, { handshake.check(answer, frames.key, { "a" }) })
    assert.same({ true }, { handshake.check(answer, frames.key) })
    answer = parsed(good .. "Sec-WebSocket-Protocol:\ta \r\n\r\n")
    assert.same({ true, "a" }, { handshake.check(answer, frames.key, { "b", "a" }) })
    for _, spoilt in ipairs { "A", "a, b", "a\r\nSec-WebSocket-Protocol: b", "" } do
      answer = parsed(good .. "Sec-WebSocket-Protocol: " .. spoilt .. "\r\n\r\n")
      assert.is_false((handshake.check(answer, frames.key, { "b", "a" })))
    end
  end)
end)
