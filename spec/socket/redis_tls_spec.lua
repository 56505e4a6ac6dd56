-- spry.redis over TLS, with a real Redis server.

local certificates = require "spec.support.certificates"
local redis_server = require "spec.support.redis_server"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local GET = [[
  local spry = require "sprylua"
  return function(event)
    local value, message = spry.redis:get(event.query:get "key")
    return tostring(value or message)
  end]]

local SET = [[
  local spry = require "sprylua"
  return function(event)
    local value, message = spry.redis:set(event.query:get "key", event.request:text())
    return tostring(value or message)
  end]]

local PUBLISH = [[
  local spry = require "sprylua"
  return function() return tostring(spry.publish("room", "hello")) end]]

local ROOM = [[
  local spry = require "sprylua"
  return function(event)
    return event.ws:upgrade(function(ws)
      ws:subscribe "room"
      ws:sendText "ready"
      for _ in ws.events do end
    end)
  end]]

local made, redis, running

setup(function()
  made = certificates.new()
  made:make("good", "DNS:localhost,IP:127.0.0.1")
  made:make("other", "DNS:redis.example")
end)

teardown(function() made:cleanup() end)

after_each(function()
  for _, program in ipairs(running) do program:cleanup() end
  if redis then redis:cleanup() end
  redis = nil
end)

before_each(function() running = {} end)

local function start_redis(name, opts)
  opts = opts or {}
  opts.stopped = true
  redis = redis_server.start(opts)
  redis:encrypt(("%s/%s.crt"):format(made.folder, name), ("%s/%s.key"):format(made.folder, name), made.authority)
  redis:start()
end

local function serve(url, authority, opts)
  opts = opts or {}
  opts.env = { SSL_CERT_FILE = authority or made.authority, SSL_CERT_DIR = made.folder .. "/nothing" }
  local started = server.serve(temp_routes.project {
    ["sprylua.config.lua"] = ("return { redis = %q }"):format(url or (redis.url:gsub("^redis:", "rediss:"))),
    ["routes/get.lua"] = GET, ["routes/set.post.lua"] = SET,
    ["routes/publish.lua"] = PUBLISH, ["routes/room.lua"] = ROOM,
  } .. "/routes", opts)
  running[#running + 1] = started
  return started
end

local function set(program, key, text) return server.post(program, "/set?key=" .. key, text).body end

local function get(program, key)
  return (program:get("/get?key=" .. key))
end

describe("spry.redis over TLS", function()
  it("carries commands and answers of any size", function()
    start_redis "good"
    local program = serve()
    local text = ("0123456789"):rep(60000)
    assert.equal("OK", set(program, "large", text))
    assert.is_true(get(program, "large") == text)
    assert.equal("600000", redis:cli "strlen large")
    server.stop(program)
  end)

  it("carries messages between servers", function()
    start_redis "good"
    local first, second = serve(), serve()
    local client <close> = server.connect(first.port)
    client:send("GET /room HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      .. "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    client:readUntil("\r\n\r\n", true)
    assert.equal("ready", client:frame().payload)
    second:get "/publish"
    assert.matches("hello", client:frame().payload)
    server.stop(first)
    server.stop(second)
  end)

  it("logs in with a user and a password, to a name", function()
    start_redis("good", { user = "ann", password = "open-sesame" })
    local program = serve(("rediss://ann:open-sesame@localhost:%d/3"):format(redis.port))
    assert.equal("OK", set(program, "there", "yes"))
    assert.equal("yes", redis:cli "-n 3 get there")
    assert.equal("ann", redis:cli("client list"):match "user=(%w+)")
    server.stop(program)
  end)

  it("comes back with Redis", function()
    start_redis "good"
    local program = serve()
    assert.equal("OK", set(program, "kept", "1"))
    redis:kill()
    program:wait(function() return get(program, "kept") == "Redis is not connected" end, "the loss")
    redis:start()
    program:wait(function() return get(program, "kept") == "1" end, "the way back")
    assert.matches("is connected again", program:err())
    server.stop(program)
  end)

  it("sends what is to be sent when the server stops", function()
    start_redis "good"
    local program = serve()
    assert.equal("1", redis:cli "scard sprylua:processes")
    assert.matches("sprylua:present:", redis:cli "keys 'sprylua:present:*'")
    server.stop(program)
    program:wait(function() return redis:cli "keys 'sprylua:present:*'" == "" end, "the farewell")
  end)
end)

describe("a Redis that can't be trusted", function()
  -- A start waits for Redis, a spec does not.
  local function refused(sentence, url, authority)
    serve(url, authority, { silent = true }):says(
      ("Redis at %%S+, port %d is not connected: %s; trying again"):format(redis.port, sentence))
  end

  it("is not there for routes", function()
    start_redis "other"
    local program = serve()
    assert.equal("Redis is not connected", get(program, "x"))
    server.stop(program)
  end)

  it("has a certificate for another name", function()
    start_redis "other"
    refused "its certificate is not trusted: IP address mismatch"
    refused("its certificate is not trusted: hostname mismatch", ("rediss://localhost:%d"):format(redis.port))
  end)

  it("has a certificate that nobody vouches for", function()
    start_redis "good"
    refused("its certificate is not trusted: self%-signed certificate in certificate chain", nil,
      made.folder .. "/other.crt")
  end)

  it("is not trusted either when the file of authorities is not there", function()
    start_redis "good"
    refused("SSL_CERT_FILE can't be read: [^\n]+none.crt: No such file[^\n]+", nil, made.folder .. "/none.crt")
  end)

  it("speaks no TLS", function()
    redis = redis_server.start()
    refused("[^\n]+", (redis.url:gsub("^redis:", "rediss:")))
  end)

  it("speaks TLS where none is expected", function()
    start_redis "good"
    refused("[^\n]+", redis.url)
  end)
end)
