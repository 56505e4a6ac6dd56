-- Run by spec/boundary/memory_spec.lua in an interpreter of its own, with faulty.so preloaded: the same exchange again
-- and again, with one more allocation succeeding each time. Prints what became of the answers, as a Lua table.

local core = require "sprylua.core"
local faulty = require "faulty"

local Response = {}
local function respond(fields)
  fields.headers = fields.headers or { "x-made", "by hand" }
  return setmetatable(fields, Response)
end

local function session(ws)
  ws:sendText "welcome"
  for kind, data in ws.events do
    if kind == "text" then ws:sendText("echo " .. data) end
  end
end

-- Hears what it publishes itself, on two topics, and says something at its end.
local function talk(ws)
  core.topic.subscribe(ws, "a")
  core.topic.subscribe(ws, "b")
  core.topic.atClose(ws, function() core.topic.publish("a", "gone") end)
  for kind, data in ws.events do
    if kind == "text" then
      core.topic.publish("a", data)
      core.topic.publish("b", ("x"):rep(5000))
    end
  end
end

local function read_all(event)
  local parts = {}
  repeat
    local chunk = core.request.read(event)
    parts[#parts + 1] = chunk
  until not chunk
  return table.concat(parts)
end

local entries = {
  text = function() return "hello" end,
  fields = function(event) return core.request.params(event).id or event.path .. event.id end,
  body = function(event) return respond { status = 201, body = read_all(event) } end,
  raises = function() error "no" end,
  stream = function()
    return respond { status = 200, stream = function(write) for _ = 1, 3 do write(("x"):rep(100)) end end }
  end,
  ws = function() return respond { status = 101, session = session, options = { protocol = "p" } } end,
  topic = function() return respond { status = 101, session = talk, options = {} } end,
  kept = function()
    local compress = { threshold = 0, contextTakeover = true }
    return respond { status = 101, session = session, options = { compress = compress } }
  end,
  shared = function()
    return respond { status = 101, session = session, options = { compress = { threshold = 0 } } }
  end,
}

local list = {}
for name, entry in pairs(entries) do list[#list + 1] = { segments = { name }, entry = entry } end
local misses = core.router { { segments = { { rest = false, min = 0 } }, entry = function() return "miss" end } }

local HOST = "Host: localhost\r\n"
local HANDSHAKE = HOST .. "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
  .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
local OFFER = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=11\r\n"
-- 300 times the same letter, and a close.
local DEFLATED = "\xc1\x88\0\0\0\0\x4a\x4c\x1c\x05\xc4\x02\x00\x00\x88\x82\0\0\0\0\x03\xe8"
local exchanges = {
  "GET /text HTTP/1.1\r\n" .. HOST .. "\r\n",
  "GET /fields?q=1 HTTP/1.1\r\n" .. HOST .. "Cookie: a=b\r\nX-Long: " .. ("y"):rep(3000) .. "\r\n\r\n",
  "POST /body HTTP/1.1\r\n" .. HOST .. "Content-Length: 5\r\n\r\nhello",
  "GET /raises HTTP/1.1\r\n" .. HOST .. "\r\n",
  "GET /stream HTTP/1.1\r\n" .. HOST .. "\r\n",
  "GET /lost HTTP/1.1\r\n" .. HOST .. "\r\n",
  "GET /kept HTTP/1.1\r\n" .. HANDSHAKE .. OFFER .. "\r\n" .. DEFLATED,
  "GET /shared HTTP/1.1\r\n" .. HANDSHAKE .. OFFER .. "\r\n" .. DEFLATED,
  "GET /topic HTTP/1.1\r\n" .. HANDSHAKE .. "\r\n\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8",
  "GET /ws HTTP/1.1\r\n" .. HANDSHAKE .. "\r\n\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8",
}

local function new_app()
  return core.app {
    routes = core.router(list), misses = misses, response = Response,
    convert = function(_, value) error("no " .. type(value)) end,
    failed = function() return respond { status = 500, body = "failed" } end,
    sessionFailed = function() end,
    access = function() end,
    refused = function() end,
  }
end

local tally = {}
local function count(what) tally[what] = (tally[what] or 0) + 1 end

local function one(app, bytes, successes)
  local peer = core.connect(app)
  faulty.after(successes)
  local fed = pcall(peer.feed, peer, bytes)
  local failed = faulty.off()
  app:settle()
  count(fed and (peer:take():match "^HTTP/1.1 (%d+)" or "none") or "not fed")
  peer:hangup()
  if os.getenv "FAULTY_TRACE" then
    io.stderr:write(("%s %d -> %d left\n"):format(bytes:match "^%S+ %S+", successes, core.stats().tasks))
  end
  return failed
end

local app = new_app()
for _, bytes in ipairs(exchanges) do
  local successes = 0
  repeat
    local failed = one(app, bytes, successes)
    successes = successes + 1
    count "tries"
  until failed == 0 or successes > 3000
  one(app, bytes, 1e9) -- and it works as if nothing had been
end
collectgarbage()
for name, n in pairs(core.stats()) do tally[name] = n end

-- ── functions that stand alone: right, or "out of memory", and nothing in between ──

local crypto, compress, resp = core.crypto, require "sprylua.compress", require "sprylua.resp"
local text = ("some text "):rep(5000)

local function compressed(coding)
  return function()
    local encoder <close> = compress.encoder(coding, 5)
    return encoder:write(text) .. encoder:flush(text) .. encoder:finish(text)
  end
end

-- Two ends of a WebSocket: texts, fragments, pings, and a close.
local function converse()
  local client = core.endpoint { role = "client", maxMessage = 1 << 20 }
  local server = core.endpoint { role = "server", maxMessage = 1 << 20 }
  local heard = {}
  local function carry(from, to)
    to:feed(from:take())
    for kind, data in to.next, to do heard[#heard + 1] = kind .. #tostring(data) end
  end
  client:sendText(text)
  client:ping "there?"
  carry(client, server)
  server:sendBinary(text)
  carry(server, client)
  client:feed("\x01\x03one\x80\x03two\x81\x7e")
  client:close(4000, "enough")
  carry(client, server)
  client:lost()
  carry(server, client)
  return table.concat(heard, " ")
end

-- Says what it is that ends the stream.
local function read_answers()
  local reader, found = resp.reader(), {}
  reader:feed("*3\r\n$5\r\nhello\r\n*1\r\n-no\r\n$-1\r\n+" .. text:sub(1, 20000) .. "\r\n:7\r\n")
  for kind, value in function() return reader:next() end do
    found[#found + 1] = kind .. (kind == "array" and value[1] .. value[2][1].err or #tostring(value))
  end
  local _, problem = reader:next()
  if problem then error(problem) end
  return table.concat(found, " ")
end

local calls = {
  read_answers,
  function() return crypto.hmac(text, text) end,
  function() return crypto.sha256(text) end,
  function() return crypto.unbase64url(crypto.base64url(text)) end,
  function() return #crypto.random(5000) end,
  function() return core.accept(text) end,
  converse,
  compressed "gzip",
  compressed "br",
}

for _, call in ipairs(calls) do
  local right, successes = call(), 0
  local failed
  repeat
    faulty.after(successes)
    local ok, result = pcall(call)
    failed = faulty.off()
    successes = successes + 1
    count "calls"
    if ok and result ~= right then count "wrong" end
    if not ok and not tostring(result):find "memory" then count "wrong" end
  until failed == 0 or successes > 3000
  if failed > 0 then count "wrong" end
end

local parts = {}
for what, n in pairs(tally) do parts[#parts + 1] = ("[%q] = %d"):format(what, n) end
print("return { " .. table.concat(parts, ", ") .. " }")
