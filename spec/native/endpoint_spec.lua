-- core.endpoint: one end of a WebSocket as a value. Its frames are read by the specs' own codec, and by its other end.

local core = require "sprylua.core"
local frames = require "sprylua.testing.frames"

local function endpoint(role, maxMessage)
  return core.endpoint { role = role or "client", maxMessage = maxMessage or 1 << 20 }
end

-- A frame as a server sends it.
local function from_server(opcode, payload, more)
  local frame = { opcode = opcode, payload = payload, mask = false }
  for key, value in pairs(more or {}) do frame[key] = value end
  return frames.encode(frame)
end

-- Everything in `bytes`, decoded.
local function decoded(bytes)
  local list, at = {}, 1
  while at <= #bytes do
    local frame, next = frames.decode(bytes, at)
    list[#list + 1], at = assert(frame), next
  end
  return list
end

local function events(e)
  local list = {}
  while true do
    local event = table.pack(e:next())
    if event.n == 0 then return list end
    event.n = nil
    list[#list + 1] = event
  end
end

describe("a client's endpoint", function()
  for _, n in ipairs { 0, 1, 7, 8, 9, 125, 126, 65535, 65536, 200001 } do
    it(("masks a message of %d bytes, whose key the server takes off"):format(n), function()
      local client, server = endpoint(), endpoint "server"
      local payload = core.crypto.random(n)
      assert.is_true(client:sendBinary(payload))
      local bytes = client:take()
      assert.equal("", client:take())
      local frame = decoded(bytes)[1]
      assert.is_true(frame.masked and frame.minimal)
      assert.is_true(frame.payload == payload)
      server:feed(bytes)
      local kind, data = server:next()
      assert.equal("binary", kind)
      assert.is_true(data == payload)
      server:sendBinary(payload)
      client:feed(server:take())
      assert.is_true(select(2, client:next()) == payload)
    end)
  end

  it("takes another key for each frame", function()
    local client, seen = endpoint(), {}
    for _ = 1, 200 do
      client:sendText "same"
      seen[client:take()] = true
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.is_true(count > 190)
  end)

  it("masks pings, pongs and its Close", function()
    local client = endpoint()
    client:ping "here?"
    client:feed(from_server("ping", "and you?"))
    client:close(4000, "done")
    local list = decoded(client:take())
    assert.same({ "ping", "pong", "close" }, { list[1].name, list[2].name, list[3].name })
    for _, frame in ipairs(list) do assert.is_true(frame.masked) end
    assert.equal("and you?", list[2].payload)
  end)

  it("takes no masked frame: 1002", function()
    for _, bytes in ipairs { frames.encode { opcode = "text", payload = "x" }, frames.encode { opcode = "ping" },
      frames.encode { opcode = "text", payload = "", fin = false } } do
      local client = endpoint()
      client:feed(bytes)
      assert.same({ { "close", 1002, "a server's frame is masked" } }, events(client))
      assert.equal("\x03\xea", decoded(client:take())[1].payload)
    end
  end)

  it("takes messages whole, in fragments, and byte by byte", function()
    local bytes = from_server("text", "one") .. from_server("binary", ("x"):rep(300))
      .. from_server("text", "two ", { fin = false }) .. from_server("ping", "p")
      .. from_server("continuation", "parts")
      .. from_server("text", ("y"):rep(70000)) .. from_server("close", frames.closePayload(4001, "bye"))
    local expected = { { "text", "one" }, { "binary", ("x"):rep(300) }, { "text", "two parts" },
      { "text", ("y"):rep(70000) }, { "close", 4001, "bye" } }
    for _, size in ipairs { #bytes, 1000, 7, 1 } do
      local client, got = endpoint(), {}
      for at = 1, #bytes, size do
        client:feed(bytes:sub(at, at + size - 1))
        for _, event in ipairs(events(client)) do got[#got + 1] = event end
      end
      assert.same(expected, got)
      local out = decoded(client:take())
      assert.same({ "pong", "close" }, { out[1].name, out[2].name })
    end
  end)

  it("answers a ping behind the messages that it has not given out, and a Close when that is taken", function()
    local client = endpoint()
    client:feed(from_server("text", "first") .. from_server("ping", "p") .. from_server("close", "\x03\xe8"))
    assert.equal("", client:take())
    assert.is_true(client:waiting() > 0)
    assert.same({ "text", "first" }, { client:next() })
    assert.equal("pong", decoded(client:take())[1].name)
    assert.is_true(client:ended())
    assert.is_false(client:closed())
    assert.same({ "close", 1000, "" }, { client:next() })
    assert.equal("close", decoded(client:take())[1].name)
    assert.is_true(client:closed())
    assert.equal(0, client:waiting())
    assert.equal(0, select("#", client:next()))
  end)

  it("lets the answer to a Close go out without its being taken", function()
    local client = endpoint()
    client:feed(from_server("close", "\x03\xe8"))
    client:release()
    assert.equal("close", decoded(client:take())[1].name)
    client:release()
    assert.equal("", client:take())
  end)

  it("sends nothing behind its Close", function()
    local client = endpoint()
    assert.is_true(client:close())
    client:take()
    assert.same({ nil, "closed" }, { client:sendText "x" })
    assert.same({ nil, "closed" }, { client:ping() })
    assert.same({ nil, "closed" }, { client:close() })
    assert.equal("", client:take())
  end)

  it("that is lost ends with 1006, behind what came before", function()
    local client = endpoint()
    client:feed(from_server("text", "x") .. "\x81")
    client:lost()
    client:lost()
    assert.same({ { "text", "x" }, { "close", 1006, "" } }, events(client))
    assert.same({ nil, "closed" }, { client:sendText "x" })
  end)

  it("that is lost still gives out all that has come, a Close behind a ping too", function()
    local client = endpoint()
    client:feed(from_server("text", "a") .. from_server("ping", "") .. from_server("text", "b")
      .. from_server("ping", "") .. from_server("close", "\x0f\xa1bye"))
    client:lost()
    assert.same({ { "text", "a" }, { "text", "b" }, { "close", 4001, "bye" } }, events(client))
    assert.equal("", client:take())
  end)

  it("refuses what is too long, and what is not UTF-8", function()
    local client = endpoint("client", 10)
    client:feed(from_server("text", ("x"):rep(11)))
    assert.equal(1009, select(2, client:next()))
    client = endpoint()
    client:feed(from_server("text", "\xff"))
    assert.equal(1007, select(2, client:next()))
    for sentence, call in pairs {
      ["a text is UTF-8: use ws:sendBinary for other bytes"] = function(e) e:sendText "\xff" end,
      ["a string was expected, not nil"] = function(e) e:sendText(nil) end,
      ["a string was expected, not table"] = function(e) e:ping {} end,
      ["a ping carries at most 125 bytes"] = function(e) e:ping(("x"):rep(126)) end,
      ["not a close code that may be sent (1000, 3000 to 4999, …)"] = function(e) e:close(1005) end,
      ["a close reason has at most 123 bytes"] = function(e) e:close(1000, ("x"):rep(124)) end,
      ["a close reason is UTF-8"] = function(e) e:close(1000, "\xff") end,
    } do
      assert.has_error(function() call(endpoint()) end, sentence)
    end
    assert.has_error(function() endpoint():close(70000) end)
    assert.has_error(function() endpoint():close "x" end)
  end)

  it("drops what follows a Close", function()
    local client = endpoint()
    client:feed(from_server("close", "") .. from_server("text", "x"))
    client:feed(from_server("text", "y"))
    assert.same({ { "close", 1005, "" } }, events(client))
  end)

  it("is made of a role and a size", function()
    assert.has_error(function() core.endpoint { role = "peer", maxMessage = 1 } end)
    assert.has_error(function() core.endpoint { role = "client", maxMessage = 0 } end)
    assert.has_error(function() core.endpoint { role = "client" } end)
  end)
end)

describe("core.accept", function()
  it("is RFC 6455's answer to its example", function()
    assert.equal(frames.accept, core.accept(frames.key))
  end)
end)
