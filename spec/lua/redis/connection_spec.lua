-- Connections to Redis, with a server that a spec plays, and a clock that it moves.

local clock = require "sprylua.clock"
local fake_socket = require "spec.support.fake_socket"
local log = require "sprylua.log"

local GREETING = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n"
local PING = "*1\r\n$4\r\nPING\r\n"

local fake, connection, restore, manual, usual, lines, sink

setup(function()
  local modules
  fake, modules, restore = fake_socket.beneath { "sprylua.redis.link", "sprylua.redis.connection" }
  connection = modules["sprylua.redis.connection"]
end)

teardown(function() restore() end)

before_each(function()
  fake.opened, fake.problem = {}, nil
  manual, lines, sink = clock.manual(), {}, log.sink
  usual = clock.use(manual)
  log.sink = function(line) lines[#lines + 1] = line end
end)

after_each(function()
  clock.use(usual)
  log.sink = sink
end)

-- A connection that is up, and its socket.
local function open(events, address)
  local opened = connection.open(address or { host = "h", port = 1, db = 0 }, events)
  local socket = fake.opened[#fake.opened]
  manual:advance(0)
  assert.equal(GREETING, socket:take())
  socket:says "+OK\r\n+PONG\r\n"
  assert.is_true(opened.up)
  return opened, socket
end

-- Asks, and returns the list of what the answers are told.
local function ask(opened, ...)
  local told = {}
  assert.is_true(opened:command(function(kind, value) told[#told + 1] = { kind, value } end, ...))
  return told
end

local function log_has(sentence)
  return table.concat(lines, "\n"):find(sentence, 1, true) ~= nil
end

local LOST = { { "lost", "the connection to Redis was lost" } }

describe("a connection to Redis", function()
  it("writes what is asked at once together, and answers in order", function()
    local opened, socket = open()
    local writes = socket.writes
    local first, second = ask(opened, "GET", "a"), ask(opened, "SET", "b", "\r\n")
    assert.equal("", socket.sent)
    manual:advance(0)
    assert.equal(writes + 1, socket.writes)
    assert.equal("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$2\r\n\r\n\r\n", socket:take())
    socket:says "$1\r"
    socket:says "\nx\r\n-ERR no\r\n"
    assert.same({ { { "string", "x" } }, { { "error", "ERR no" } } }, { first, second })
  end)

  it("logs in before anything else", function()
    connection.open { host = "h", port = 1, db = 7, user = "ann", password = "p" }
    manual:advance(0)
    assert.equal("*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n" .. PING,
      fake.opened[1].sent)
  end)

  it("is lost when it gets an answer that nobody has asked for", function()
    local opened, socket = open()
    local told = ask(opened, "GET", "a")
    socket:says "+x\r\n+y\r\n+z\r\n"
    assert.same({ { "status", "x" } }, told)
    assert.is_true(socket.closed)
    assert.is_false(opened.up)
    assert.is_true(log_has "Redis at h, port 1 is not connected: it has answered what nobody has asked; trying again")
  end)

  it("is lost when it gets messages without having asked for any", function()
    local opened, socket = open()
    socket:says "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
    assert.is_false(opened.up)
  end)

  it("hands messages to who listens, and answers to who has asked", function()
    local got = {}
    local opened, socket = open { push = function(channel, text) got[#got + 1] = channel .. text end }
    local told = ask(opened, "SUBSCRIBE", "c")
    socket:says "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
    assert.same({ { { "array", { "subscribe", "c", 1 } } } }, { told })
    assert.same({ "cx" }, got)
  end)

  it("is lost when the server breaks off, or says what is not the protocol", function()
    for bytes, sentence in pairs {
      ["$5\r\nab"] = false, ["!"] = "it does not speak as Redis does: Protocol error, got \"!\" as reply type byte",
      ["*2147483647\r\n"] = "it sent an answer that takes more than 128 MiB",
    } do
      local opened, socket = open()
      local told = ask(opened, "GET", "a")
      socket:says(bytes)
      if not sentence then socket:says(nil) end
      assert.same(LOST, told)
      assert.is_true(socket.closed)
      assert.is_true(log_has(sentence or "the connection was closed"))
    end
  end)

  it("goes on when what it tells raises", function()
    local opened, socket = open()
    opened:command(function() error "mistake" end, "GET", "a")
    local told = ask(opened, "GET", "b")
    socket:says "+x\r\n+y\r\n"
    assert.same({ { "status", "y" } }, told)
    assert.is_true(log_has "mistake")
  end)

  it("may be lost in the middle of an answer to several", function()
    local opened, socket = open()
    local told, later
    opened:command(function()
      socket:says(nil)
      told = true
    end, "GET", "a")
    later = ask(opened, "GET", "b")
    socket:says "+x\r\n+y\r\n"
    assert.is_true(told)
    assert.same(LOST, later)
  end)

  it("takes no more than the server does", function()
    local opened, socket = open()
    socket.stuck = true
    local megabyte, sent, problem = ("x"):rep(1 << 20), true, nil
    for _ = 1, 70 do
      sent, problem = opened:command(function() end, "SET", "a", megabyte)
      if not sent then break end
      manual:advance(0)
    end
    assert.same({ false, "Redis does not take what it is sent" }, { sent, problem })
    socket.stuck = false
    local told = ask(opened, "GET", "a")
    socket:says(("+OK\r\n"):rep(63) .. "+mine\r\n")
    assert.same({ { "status", "mine" } }, told)
  end)

  it("tries again, later and later, and not sooner when it comes and goes", function()
    fake.problem = "nobody listens there"
    local opened = connection.open { host = "h", port = 1, db = 0 }
    assert.is_true(log_has "Redis at h, port 1 is not connected: nobody listens there; trying again")
    manual:advance(60)
    assert.equal(1, #lines)
    fake.problem = nil
    repeat manual:advance(0.5) until #fake.opened == 1
    fake.opened[1]:says "+OK\r\n+PONG\r\n"
    assert.is_true(opened.up)
    fake.opened[1]:says(nil)
    manual:advance(9)
    assert.equal(1, #fake.opened)
    manual:advance(1)
    assert.equal(2, #fake.opened)
    fake.opened[2]:says "+OK\r\n+PONG\r\n"
    for _ = 1, 2 do
      manual:advance(10)
      fake.opened[2]:says "+PONG\r\n"
    end
    fake.opened[2]:says(nil)
    manual:advance(0.1)
    assert.equal(3, #fake.opened)
  end)

  it("is not patient with a server that does not greet", function()
    local opened = connection.open { host = "h", port = 1, db = 0 }
    fake.opened[1]:says "+OK\r\n"
    manual:advance(5)
    assert.is_false(opened.up)
    assert.is_true(fake.opened[1].closed)
    assert.is_true(log_has "is not connected: it does not answer")
  end)

  it("is not connected when it is refused", function()
    local opened = connection.open { host = "h", port = 1, db = 0, password = "wrong" }
    fake.opened[1]:says "-WRONGPASS no\27[2J\r\n-NOAUTH\r\n-NOAUTH\r\n"
    assert.is_false(opened.up)
    assert.is_true(log_has "WRONGPASS no\\x1b[2J")
    assert.equal(1, #lines)
  end)

  it("asks a silent server whether it is there, and then gives it up", function()
    local opened, socket = open()
    manual:advance(10)
    assert.equal(PING, socket:take())
    socket:says "+PONG\r\n"
    manual:advance(10)
    assert.equal(PING, socket:take())
    local told = ask(opened, "GET", "a")
    manual:advance(20)
    assert.is_true(opened.up)
    manual:advance(10)
    assert.is_false(opened.up)
    assert.same(LOST, told)
    assert.is_true(log_has "it does not answer any more")
  end)

  it("sends what waits when it is told to", function()
    local opened, socket = open()
    ask(opened, "DEL", "a")
    opened:flush()
    assert.equal("*2\r\n$3\r\nDEL\r\n$1\r\na\r\n", socket:take())
    manual:advance(0)
    assert.equal("", socket.sent)
    socket:says(nil)
    opened:flush()
  end)
end)
