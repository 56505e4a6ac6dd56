-- The opening handshake: RFC 6455 sections 4.2 and 11.3.

local cases = require "spec.support.ws_cases"
local core = require "sprylua.core"

-- Status, head and body of the answer to a request, however it is cut.
local function ask(app, request)
  local first
  for _, delivery in ipairs(cases.deliveries(request)) do
    local peer = core.connect(app.core)
    local got = {}
    for i, piece in ipairs(delivery[2]) do
      peer:feed(piece)
      got[i] = peer:take()
    end
    -- Without what depends on time, and on how much of a refused body had come.
    local answer = table.concat(got):gsub("\r\nDate: [^\r]+", ""):gsub("\r\nConnection: close", "")
    first = first or answer
    assert.equal(first, answer, delivery[1])
    peer:hangup()
  end
  app.core:settle()
  local head, body = first:match "^(.-\r\n)\r\n(.*)$"
  assert(head, ("no answer to %q"):format(request))
  return tonumber(head:match "^HTTP/1.1 (%d+) "), head:lower(), body
end

-- The values of a field of the head, as a list.
local function values(head, name)
  local list = {}
  for field, value in head:gmatch "\n([^:\r\n]+): ([^\r]*)" do
    if field == name then list[#list + 1] = value end
  end
  return list
end

describe("a handshake", function()
  local app = cases.app()

  it("is accepted with the key's answer", function()
    for key, accept in pairs {
      ["dGhlIHNhbXBsZSBub25jZQ=="] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", -- section 1.3
      ["x3JJHMbDL1EzLkh9GBhXDw=="] = "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
      ["AAAAAAAAAAAAAAAAAAAAAA=="] = "ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
      ["/////////////////////w=="] = "XXpj4jYzLM2yUE0C7TIgMwTQh2g=",
      ["AQIDBAUGBwgJCgsMDQ4PEA=="] = "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=",
    } do
      local peer = core.connect(app.core)
      peer:feed(cases.handshake { ["sec-websocket-key"] = key })
      local head = peer:take()
      assert.equal("HTTP/1.1 101 Switching Protocols\r\n", head:match "^.-\r\n")
      assert.equal(accept, head:match "\r\nSec%-WebSocket%-Accept: ([^\r]+)\r\n")
      assert.matches("\r\nUpgrade: websocket\r\n", head)
      assert.matches("\r\nConnection: Upgrade\r\n", head)
      assert.matches("\r\n\r\n$", head)
      assert.is_nil(head:lower():find "content%-length")
      assert.is_nil(head:lower():find "transfer%-encoding")
      peer:hangup()
    end
  end)

  local good = {
    ["with Upgrade in any case"] = { upgrade = "WebSocket" },
    ["with Upgrade in capitals"] = { upgrade = "WEBSOCKET" },
    ["with Upgrade in a list"] = { upgrade = "h2c, websocket" },
    ["with Upgrade in a list, with spaces and empty elements"] = { upgrade = " ,h2c ,\twebsocket\t, " },
    ["with Upgrade twice"] = { upgrade = { "h2c", "websocket" } },
    ["with Connection in any case"] = { connection = "uPgRaDe" },
    ["with Connection in a list"] = { connection = "keep-alive, Upgrade" },
    ["with Connection in a list without spaces"] = { connection = "keep-alive,Upgrade" },
    ["with Connection twice"] = { connection = { "keep-alive", "Upgrade" } },
    ["with an Origin"] = { origin = "http://a" },
    ["with an empty body"] = { ["content-length"] = "0" },
    ["with a key that has spaces around it"] = { ["sec-websocket-key"] = "  dGhlIHNhbXBsZSBub25jZQ==  " },
    ["with an extension that nobody knows"] = { ["sec-websocket-extensions"] = "x-unheard-of; a=b" },
  }
  for name, fields in pairs(good) do
    it(name .. " is accepted", function()
      local status, head = ask(app, cases.handshake(fields))
      assert.equal(101, status)
      assert.same({}, values(head, "sec-websocket-extensions"))
      assert.same({}, values(head, "sec-websocket-protocol"))
    end)
  end

  local bad = {
    { 426, "Upgrade: websocket", "without Upgrade", { upgrade = false } },
    { 426, "Upgrade: websocket", "with another Upgrade", { upgrade = "h2c" } },
    { 426, "Upgrade: websocket", "with a longer Upgrade", { upgrade = "websockets" } },
    { 426, "Upgrade: websocket", "with an empty Upgrade", { upgrade = "" } },
    { 426, "Connection: Upgrade", "without Connection", { connection = false } },
    { 426, "Connection: Upgrade", "with another Connection", { connection = "keep-alive" } },
    { 426, "Connection: Upgrade", "with a longer Connection", { connection = "upgraded" } },
    { 426, "Version: 13", "without a version", { ["sec-websocket-version"] = false } },
    { 426, "is not 13", "with version 8", { ["sec-websocket-version"] = "8" } },
    { 426, "is not 13", "with version 14", { ["sec-websocket-version"] = "14" } },
    { 426, "is not 13", "with version 013", { ["sec-websocket-version"] = "013" } },
    { 426, "is not 13", "with no version's number", { ["sec-websocket-version"] = "" } },
    { 426, "is not 13", "with two versions", { ["sec-websocket-version"] = { "13", "8" } } },
    { 426, "is not 13", "with a list of versions", { ["sec-websocket-version"] = "8, 13" } },
    { 400, "Key is missing", "without a key", { ["sec-websocket-key"] = false } },
    { 400, "16 bytes", "with an empty key", { ["sec-websocket-key"] = "" } },
    { 400, "16 bytes", "with a short key", { ["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25j" } },
    { 400, "16 bytes", "with a long key", { ["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZSBzYW1wbGU=" } },
    { 400, "16 bytes", "with a key that is no base64", { ["sec-websocket-key"] = "dGhlIHNhbXBsZ!!ub25jZQ==" } },
    { 400, "16 bytes", "with a key without its padding", { ["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQAA" } },
    { 400, "two", "with two keys", { ["sec-websocket-key"] = { "dGhlIHNhbXBsZSBub25jZQ==",
      "x3JJHMbDL1EzLkh9GBhXDw==" } } },
    { 400, "no body", "with a body", { ["content-length"] = "5" }, nil, "hello" },
    { 400, "no body", "with a body that has not come", { ["content-length"] = "5" } },
    { 400, "no body", "with a body in chunks", { ["transfer-encoding"] = "chunked" }, nil, "5\r\nhello\r\n0\r\n\r\n" },
    { 426, "HTTP/1.1", "in HTTP/1.0", {}, "GET / HTTP/1.0" },
    { 405, "GET", "by POST", {}, "POST / HTTP/1.1" },
    { 405, "GET", "by PUT", {}, "PUT / HTTP/1.1" },
    { 405, "GET", "by OPTIONS", {}, "OPTIONS / HTTP/1.1" },
    { 405, "GET", "by DELETE", {}, "DELETE / HTTP/1.1" },
  }
  for _, case in ipairs(bad) do
    local status, why, name, fields, line, body = table.unpack(case, 1, 6)
    it(name .. " is " .. status, function()
      local got, _, text = ask(app, cases.handshake(fields, line) .. (body or ""))
      assert.equal(status, got)
      assert(text:find(why, 1, true), text)
    end)
  end

  it("by HEAD is 405", function()
    local status, _, body = ask(app, cases.handshake({}, "HEAD / HTTP/1.1"))
    assert.equal(405, status)
    assert.equal("", body)
  end)

  it("without a Host, or with two, is no request at all", function()
    for _, host in ipairs { false, { "a", "b" } } do
      assert.equal(400, (ask(cases.app(), cases.handshake { host = host })))
    end
  end)

  it("that is refused leaves the connection to be used", function()
    local peer = core.connect(app.core)
    peer:feed(cases.handshake { ["sec-websocket-version"] = "12" })
    assert.matches("^HTTP/1.1 426 ", peer:take())
    assert.is_false(peer:closed())
    peer:feed(cases.handshake() .. cases.text "hi")
    local head, rest = peer:take():match "^(.-\r\n\r\n)(.*)$"
    assert.matches("^HTTP/1.1 101 ", head)
    assert.equal(cases.from_server("text", "hi"), rest)
    peer:hangup()
  end)

  it("may come behind another request", function()
    local mixed = cases.app(nil, nil, function(event, upgrade)
      if event.ws.isUpgradeRequest then return upgrade(event) end
      return "plain"
    end)
    local status, _, body = ask(mixed, "GET / HTTP/1.1\r\nHost: a\r\n\r\n" .. cases.handshake() .. cases.text "hi")
    assert.equal(200, status)
    local text, head, rest = body:match "^(plain)(HTTP/1.1 101 .-\r\n\r\n)(.*)$"
    assert.equal("plain", text)
    assert.is_string(head)
    assert.equal(cases.from_server("text", "hi"), rest)
  end)

  it("never agrees on an extension, so that reserved bits stay forbidden", function()
    local client <close> = cases.open(app)
    client:hangup()
    local peer = core.connect(app.core)
    peer:feed(cases.handshake { ["sec-websocket-extensions"] = {
      "permessage-deflate; client_max_window_bits", "permessage-deflate" } })
    local head = peer:take()
    assert.is_nil(head:lower():find "extensions")
    peer:feed(cases.text("x", { rsv = 4 }))
    assert.equal(cases.closed(1002), peer:take())
    peer:hangup()
  end)
end)

describe("a subprotocol", function()
  it("is answered when it was asked for", function()
    local app = cases.app(function(ws, seen)
      ws:sendText(tostring(ws.protocol))
      cases.echo(ws, seen)
    end, { protocol = "chat.v2" })
    local peer = core.connect(app.core)
    peer:feed(cases.handshake { ["sec-websocket-protocol"] = "superchat, chat.v2" })
    local head, rest = peer:take():match "^(.-\r\n\r\n)(.*)$"
    assert.equal("chat.v2", head:match "\r\nSec%-WebSocket%-Protocol: ([^\r]+)\r\n")
    assert.equal(cases.from_server("text", "chat.v2"), rest)
    peer:hangup()
  end)

  it("that was asked for is a list, over several fields too", function()
    local asked
    local app = cases.app(nil, nil, function(event, upgrade)
      asked = event.ws.requestedProtocols
      return upgrade(event)
    end)
    for expected, field in pairs {
      ["a"] = "a", ["a b c"] = { "a, b", "c" }, ["a b "] = " a ,\tb,, ", ["x A a"] = "x,A,a",
    } do
      ask(app, cases.handshake { ["sec-websocket-protocol"] = field })
      assert.equal(expected:gsub(" $", ""), table.concat(asked, " "))
    end
    ask(app, cases.handshake())
    assert.same({}, asked)
  end)

  it("that would split the answer is the route's mistake", function()
    for _, name in ipairs { "a\r\nx: y", "a\nx: y", "a\0b" } do
      local status, head = ask(cases.app(nil, { protocol = name }),
        cases.handshake { ["sec-websocket-protocol"] = "a" })
      assert.equal(500, status)
      assert.same({}, values(head, "x"))
    end
  end)
end)

describe("event.ws", function()
  it("tells what the request asks for", function()
    local facts
    local app = cases.app(nil, nil, function(event)
      facts = { event.ws.isSupported, event.ws.isUpgradeRequest, event.ws.origin or "none" }
      return "ok"
    end)
    for _, case in ipairs {
      { {}, true, "none" },
      { { origin = "https://example.org" }, true, "https://example.org" },
      { { upgrade = "h2c" }, false, "none" },
      { { connection = "close" }, false, "none" },
      { { ["sec-websocket-key"] = false }, true, "none" },
      { { ["sec-websocket-version"] = "8" }, true, "none" },
    } do
      ask(app, cases.handshake(case[1]))
      assert.same({ true, case[2], case[3] }, facts)
    end
  end)
end)
