-- Compressed messages that go out: RFC 7692 sections 6 and 7.2.1.

local cases = require "spec.support.ws_cases"
local deflate = require "spec.support.deflate"

local text, binary, ping, frame = cases.text, cases.binary, cases.ping, cases.frame
local noise = deflate.noise

local RSV1 = { rsv = 4 }

local function open(options, offer, session)
  local fields = { ["sec-websocket-extensions"] = offer or "permessage-deflate" }
  return cases.open(cases.app(session, options), nil, fields)
end

describe("what the server sends", function()
  local message = ('{"name":"value","list":[1,2,3]},'):rep(100)

  -- One frame of the server's: whether it is compressed, and its payload.
  local function one(client, bytes)
    client.peer:feed(bytes)
    local got = client:frames()
    assert.equal(1, #got)
    assert.is_true(got[1].minimal and got[1].fin and not got[1].masked)
    assert.is_true(got[1].rsv == 0 or got[1].rsv == 4)
    return got[1].rsv == 4, got[1].payload, got[1].name
  end

  it("is compressed from the threshold on", function()
    local client <close> = open { compress = { threshold = 100 } }
    assert.is_false((one(client, text(message:sub(1, 99)))))
    local compressed, payload = one(client, text(message:sub(1, 100)))
    assert.is_true(compressed)
    assert.equal(message:sub(1, 100), deflate.inflater():message(payload))
  end)

  it("is compressed from 1024 bytes on when nothing else is said", function()
    local client <close> = open { compress = true }
    assert.is_false((one(client, text(message:sub(1, 1023)))))
    assert.is_true((one(client, text(message:sub(1, 1024)))))
  end)

  it("is compressed in every form of a length, texts and binaries", function()
    local client <close> = open { compress = { threshold = 0 } }
    for _, n in ipairs { 200, 2000, 20000, 200000, 1048576 } do
      for _, kind in ipairs { "text", "binary" } do
        local data = (message:rep(n // #message + 1) .. n):sub(-n)
        local compressed, payload, name = one(client, frame(kind, data))
        assert.is_true(compressed)
        assert.equal(kind, name)
        assert.is_true(#payload < n)
        assert.is_true(deflate.inflater():message(payload) == data)
      end
    end
    local digits = noise(100000):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
    local compressed, payload = one(client, binary(digits))
    assert.is_true(compressed and #payload > 65535) -- its head has ten bytes
    assert.is_true(deflate.inflater():message(payload) == digits)
  end)

  it("is sent as it is when compressing would not make it smaller", function()
    for _, takeover in ipairs { false, true } do
      local client <close> = open { compress = { threshold = 0, contextTakeover = takeover } }
      local inflater = deflate.inflater()
      for i = 1, 20 do
        local compressed, payload = one(client, binary(noise(2000, i)))
        assert.is_false(compressed)
        assert.equal(noise(2000, i), payload)
        for _, small in ipairs { "", "a", "ab", "Hello" } do
          assert.is_false((one(client, text(small))))
        end
        -- The peer's context has not seen any of that, and need not.
        compressed, payload = one(client, text(message))
        assert.is_true(compressed)
        assert.equal(message, inflater:message(payload))
      end
    end
  end)

  it("refers to earlier messages only with takeover", function()
    local with <close> = open { compress = { contextTakeover = true } }
    local without <close> = open { compress = true }
    local inflater = deflate.inflater()
    local unlike = noise(1500):gsub("[^%g]", "x") -- hard to compress but for what was there before
    local sizes = { {}, {} }
    for i = 1, 5 do
      local _, payload = one(with, text(unlike))
      sizes[1][i] = #payload
      assert.equal(unlike, inflater:message(payload))
      _, payload = one(without, text(unlike))
      sizes[2][i] = #payload
      assert.equal(unlike, deflate.inflater():message(payload)) -- by one that knows nothing
    end
    assert.is_true(sizes[1][2] < 30, sizes[1][2])
    assert.equal(sizes[2][1], sizes[2][5])
  end)

  it("keeps to the window that the client has", function()
    local far = noise(600):gsub("[^%g]", "x")
    for _, takeover in ipairs { true, false } do
      for bits = 9, 15 do
        local client <close> = open({ compress = { threshold = 0, contextTakeover = takeover } },
          "permessage-deflate; server_max_window_bits=" .. bits)
        local inflater = deflate.inflater(bits)
        for i = 1, 10 do
          local data = far .. ("%d "):format(i):rep(100) .. far
          local compressed, payload = one(client, text(data))
          assert.is_true(compressed)
          assert.equal(data, inflater:message(payload))
          if not takeover then inflater:reset() end
        end
      end
    end
  end)

  it("is good for peers with different windows, in turn", function()
    local app = cases.app(nil, { compress = { threshold = 0 } })
    local clients = {}
    for bits = 9, 15 do
      clients[bits] = cases.open(app, nil,
        { ["sec-websocket-extensions"] = "permessage-deflate; server_max_window_bits=" .. bits })
    end
    for i = 1, 3 do
      for bits = 9, 15 do
        local _, payload = one(clients[bits], text(message .. i))
        assert.equal(message .. i, deflate.inflater(bits):message(payload))
      end
    end
    for _, client in pairs(clients) do client:hangup() end
  end)

  it("has its pings, pongs and closes uncompressed", function()
    local client <close> = open({ compress = { threshold = 0 } }, nil, function(ws)
      ws:ping(("p"):rep(125))
      ws:receive()
      ws:close(1000, ("r"):rep(123))
      ws.events:drain()
    end)
    local got = client:frames()
    assert.same({ "ping", 0, ("p"):rep(125) }, { got[1].name, got[1].rsv, got[1].payload })
    client.peer:feed(ping(("q"):rep(125)) .. text "go")
    for _, each in ipairs(client:frames()) do assert.equal(0, each.rsv) end
  end)
end)

describe("a connection with compression", function()
  it("echoes a thousand of random messages", function()
    for _, takeover in ipairs { false, true } do
      local client <close> = open { compress = { threshold = 10, contextTakeover = takeover } }
      local inflater, deflater = deflate.inflater(), deflate.deflater()
      local words = noise(4000)
      for i = 1, 1000 do
        local at = i * 37 % 3000
        local data = words:sub(at, at + i % 200):rep(i % 5)
        if not takeover then
          inflater:reset()
          deflater:reset()
        end
        client.peer:feed(binary(deflater:payload(data), RSV1))
        local got = client:frames()
        assert.equal(1, #got)
        assert.equal(data, got[1].rsv == 4 and inflater:message(got[1].payload) or got[1].payload)
      end
    end
  end)
end)
