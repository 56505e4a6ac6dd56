-- How a server ends: TERM and INT let what runs come to its end, for shutdownTimeout at most; the exit code is 0. That
-- is "in time" when the process is gone long before the ten seconds that server.stop waits, so limits here are either
-- much longer than that or much shorter. Under a sanitizer the exit code tells of leaks as well.

local clients = require "spec.support.clients"
local frames = require "sprylua.testing.frames"
local http = require "sprylua.testing.http"
local json = require "sprylua.json"
local program = require "spec.support.program"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

local routes = {
  ["index.lua"] = "return function() return 'hello' end",
  -- Says when it has begun, and goes on when it is told.
  ["slow.lua"] = [[
    local spry, state = require "sprylua", require "state"
    return function(event)
      state.say "slow begins"
      spry.sleep(0.3)
      state.say "slow ends"
      return "slow"
    end]],
  ["upload.post.lua"] = [[
    return function(event)
      require "state".say "upload begins"
      return event.request:text()
    end]],
  ["parked.lua"] = [[
    return function()
      local _ <close> = require "sprylua".defer(function() require "state".say "parked is closed" end)
      require "state".say "parked begins"
      coroutine.yield() -- nobody resumes it
      return "never"
    end]],
  ["stream.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        require "state".say "stream begins"
        for i = 1, 10 do
          write(i .. ";")
          spry.sleep(0.03)
        end
        write "end"
      end)
    end]],
  ["endless.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(function() require "state".say "endless ends" end)
        require "state".say "endless begins"
        while write "more;" do spry.sleep(0.01) end
      end)
    end]],
  ["echo.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        for kind, data in ws.events do
          if kind == "text" then ws:sendText(data) end
          if kind == "close" then require "state".say("session saw " .. data) end
        end
      end)
    end]],
  -- A session that does not look at what comes.
  ["deaf.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      return event.ws:upgrade(function(ws)
        local _ <close> = spry.defer(function() require "state".say "deaf is closed" end)
        ws:sendText "ready"
        while true do spry.sleep(0.05) end
      end)
    end]],
  -- One that waits for somebody else's callback, which never comes.
  ["lost.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        local _ <close> = require "sprylua".defer(function() require "state".say "lost is closed" end)
        ws:sendText "ready"
        coroutine.yield()
      end)
    end]],
  ["poll.lua"] = [[
    local topic = require "sprylua".topic "news"
    return function(event)
      if not event.query:has "from" then return topic.id end
      require "state".say "poll begins"
      return topic:poll(event, { timeout = 3600 })
    end]],
  -- Handles of luv's that are still open, and a task that waits.
  ["litter.lua"] = [[
    local spry, uv = require "sprylua", require "luv"
    return function()
      spry.every(0.01, function() end)
      spry.spawn(function() spry.sleep(3600) end)
      local timer, server = uv.new_timer(), uv.new_tcp()
      timer:start(1, 1, function() end)
      server:bind("127.0.0.1", 0)
      server:listen(1, function() end)
      uv.spawn("sleep", { args = { "0.1" } }, function() end)
      return "littered"
    end]],
}

-- On stderr, so that it can be waited for.
local state = [[
  return { say = function(text) io.stderr:write(text, "\n") end }]]

describe("stopping", function()
  local running, connections

  before_each(function() connections = {} end)

  after_each(function()
    for _, client in ipairs(connections) do client:close() end
    if running then running:cleanup() end
    running = nil
  end)

  local function serve(config, hooks)
    local files = {
      ["state.lua"] = state, ["hooks.lua"] = hooks,
      ["sprylua.config.lua"] = "return " .. (config or "{ shutdownTimeout = 300 }"),
    }
    for name, text in pairs(routes) do files["routes/" .. name] = text end
    running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
  end

  local function connect()
    local client = server.connect(running.port)
    connections[#connections + 1] = client
    return client
  end

  local function ask(path, method, opts)
    local client = connect()
    client:send(http.request(method or "GET", path, opts))
    return client
  end

  local function open(path)
    local client = connect()
    client:send(testing.handshake(path))
    assert.equal(101, client:answer().status)
    return client
  end

  local function term(name)
    running:signal(name or "TERM")
    running:says "stopping"
  end

  -- The process has ended well; nothing that it said is a sanitizer's.
  local function ended()
    local code = running:ended()
    assert.equal(0, code, running:err())
    assert.is_nil(running:err():find "Sanitizer", running:err())
    assert.is_nil(running:err():find "runtime error:", running:err())
  end

  for _, name in ipairs { "TERM", "INT" } do
    it("by " .. name .. ", with nobody there", function()
      serve()
      term(name)
      ended()
    end)

    it("by " .. name .. ", idle connections are closed, fresh and used", function()
      serve()
      local fresh, used = connect(), ask "/"
      assert.equal("hello", used:answer().body)
      term(name)
      assert.equal("", fresh:readAll())
      assert.equal("", used:readAll())
      fresh:close()
      used:close()
      ended()
    end)
  end

  it("a running request is answered, with Connection: close", function()
    serve()
    local client = ask "/slow"
    running:says "slow begins"
    term()
    local answer = client:answer()
    assert.equal("slow", answer.body)
    assert.equal("close", answer.headers:get "connection")
    assert.equal("", client:readAll())
    client:close()
    ended()
  end)

  it("a long poll is answered with what there is", function()
    serve()
    local id = ask("/poll"):answer().body
    local client = ask("/poll?from=" .. id)
    running:says "poll begins"
    term()
    assert.same({ topic = "news", id = id, recovered = true, messages = {} }, json.decode(client:answer().body))
    client:close()
    ended()
  end)

  it("an upload that is under way is taken to its end", function()
    serve()
    local client = connect()
    client:send "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234"
    running:says "upload begins"
    term()
    client:send "56789"
    assert.equal("0123456789", client:answer().body)
    client:close()
    ended()
  end)

  it("a request whose head is half here is still taken, or the connection is closed", function()
    serve()
    local client = connect()
    client:send "GET / HTTP/1.1\r\nHo"
    server.sleep(0.05)
    term()
    client:send "st: x\r\n\r\n"
    local all = client:readAll()
    assert.truthy(all == "" or all:find "^HTTP/1.1 200 .*\r\nConnection: close\r\n.*hello$", all)
    client:close()
    ended()
  end)

  it("a request whose head never comes is not waited for", function()
    -- Only here is headerTimeout so long that it would be seen.
    serve "{ shutdownTimeout = 300, limits = { headerTimeout = 300 } }"
    local client = connect()
    client:send "GET / HTTP/1.1\r\nHo"
    server.sleep(0.05)
    term()
    assert.equal("", client:readAll())
    client:close()
    ended()
    assert.is_nil(running:err():find "error:", running:err())
  end)

  it("pipelined requests: no more than the running one is begun", function()
    serve()
    local client = connect()
    client:send(http.request("GET", "/slow") .. http.request("GET", "/slow"))
    running:says "slow begins"
    term()
    assert.equal("slow", client:answer().body)
    assert.equal("", client:readAll())
    client:close()
    ended()
    local _, begun = running:err():gsub("slow begins", "")
    assert.equal(1, begun)
  end)

  it("new connections are refused meanwhile", function()
    serve()
    local client = ask "/slow"
    running:says "slow begins"
    term()
    local late = clients.curl("-o", "/dev/null", running.url)
    assert.equal(7, late.code, late.err) -- curl: failed to connect
    client:close()
    ended()
  end)

  it("a stream goes on to its end", function()
    serve()
    local client = ask "/stream"
    running:says "stream begins"
    term()
    assert.equal("1;2;3;4;5;6;7;8;9;10;end", client:answer().body)
    client:close()
    ended()
  end)

  it("a stream without an end is cut off after shutdownTimeout, and told", function()
    serve "{ shutdownTimeout = 0.3 }"
    local client = ask "/endless"
    running:says "endless begins"
    term()
    local all = client:readAll()
    assert.is_nil(all:find "\r\n0\r\n\r\n$")
    ended()
    assert.truthy(running:err():find("endless ends", 1, true))
  end)

  describe("sessions", function()
    it("are told 1001, and the process ends when they have answered", function()
      serve()
      local client = open "/echo"
      term()
      local frame = client:frame()
      assert.equal("close", frame.name)
      assert.same({ 1001, "" }, { frames.parseClose(frame.payload) })
      client:sendFrame { opcode = "close", payload = frames.closePayload(1001) }
      assert.equal("", client:readAll())
      client:close()
      ended()
      assert.truthy(running:err():find("session saw 1001", 1, true), running:err())
    end)

    it("a hundred of them", function()
      serve()
      local open_ones = {}
      for i = 1, 100 do open_ones[i] = open "/echo" end
      term()
      for _, client in ipairs(open_ones) do
        assert.equal(1001, (frames.parseClose(client:frame().payload)))
        client:sendFrame { opcode = "close", payload = frames.closePayload(1001) }
      end
      for _, client in ipairs(open_ones) do client:readAll() end
      for _, client in ipairs(open_ones) do client:close() end
      ended()
    end)

    it("go one after the other, not all at the same time", function()
      serve "{ shutdownTimeout = 60 }"
      local open_ones = {}
      for i = 1, 100 do open_ones[i] = open "/echo" end
      term()
      server.wait(function()
        for _, client in ipairs(open_ones) do
          if client.received ~= "" then return true end
        end
      end, "the first close frame")
      for _, client in ipairs(open_ones) do client:sendFrame { opcode = "text", payload = "still there" } end
      server.wait(function()
        for _, client in ipairs(open_ones) do
          if client.received:find "still there" then return true end
        end
      end, "an answer of one that has not been told yet")
      for _, client in ipairs(open_ones) do client:close() end
      ended()
    end)

    it("whose client never answers are cut off at shutdownTimeout", function()
      serve "{ shutdownTimeout = 0.3 }"
      local client = open "/echo"
      term()
      assert.equal(1001, (frames.parseClose(client:frame().payload)))
      ended()
      client:readAll()
    end)

    for _, path in ipairs { "/deaf", "/lost" } do
      it(("that do not look (%s) end when the client has answered, or are cut off"):format(path), function()
        serve "{ shutdownTimeout = 0.5 }"
        local silent, polite = open(path), open(path)
        assert.equal("ready", silent:frame().payload)
        assert.equal("ready", polite:frame().payload)
        term()
        assert.equal(1001, (frames.parseClose(silent:frame().payload)))
        assert.equal(1001, (frames.parseClose(polite:frame().payload)))
        polite:sendFrame { opcode = "close", payload = frames.closePayload(1001) }
        ended()
        local _, closed = running:err():gsub(path:sub(2) .. " is closed", "")
        assert.equal(2, closed)
      end)
    end

    it("whose client vanishes at that moment", function()
      serve()
      local client = open "/echo"
      term()
      client:close(true)
      ended()
    end)
  end)

  describe("a handler that nobody resumes", function()
    it("is cut off at shutdownTimeout", function()
      serve "{ shutdownTimeout = 0.3 }"
      local client = ask "/parked"
      running:says "parked begins"
      term()
      assert.equal("", client:readAll())
      ended()
      assert.truthy(running:err():find("parked is closed", 1, true))
    end)

    it("is cut off by a second signal", function()
      serve()
      local client = ask "/parked"
      running:says "parked begins"
      term()
      running:signal "TERM"
      client:readAll()
      ended()
    end)

    it("is cut off by a second signal, after its client has gone", function()
      serve()
      local client = ask "/parked"
      running:says "parked begins"
      client:close(true)
      term()
      running:signal "TERM"
      ended()
      assert.truthy(running:err():find("parked is closed", 1, true))
    end)

    it("is no reason to wait when shutdownTimeout is 0", function()
      serve "{ shutdownTimeout = 0 }"
      local client = ask "/parked"
      running:says "parked begins"
      running:signal "TERM"
      client:readAll()
      ended()
    end)
  end)

  it("a second signal ends sessions and streams at once, INT after TERM as well", function()
    serve()
    local stream, session = ask "/endless", open "/deaf"
    running:says "endless begins"
    term()
    running:signal "INT"
    stream:readAll()
    session:readAll()
    ended()
  end)

  it("what routes have left on the loop does not keep it", function()
    serve()
    assert.equal("littered", ask "/litter":answer().body)
    for _, client in ipairs(connections) do client:close() end
    term()
    ended()
  end)

  it("uv.stop in a route is asking for it", function()
    running = server.serve(temp_routes.routes {
      ["stop.post.lua"] = "return function() require 'luv'.stop() return 'bye' end",
    }, { arguments = { "--log", "none" } })
    local client = ask("/stop", "POST")
    assert.equal("bye", client:answer().body)
    client:close()
    ended()
  end)

  it("the hooks run round it all, onStop before the connections end", function()
    serve("{ shutdownTimeout = 300 }", [[
      local say, spry = require "state".say, require "sprylua"
      return {
        onStart = function() spry.sleep(0.01) say "onStart" end,
        onStop = function() say "onStop begins" spry.sleep(0.05) say "onStop ends" end,
      }]])
    assert.truthy(running:err():find "onStart.*listens on")
    local client = open "/echo"
    term()
    assert.equal(1001, (frames.parseClose(client:frame().payload)))
    client:sendFrame { opcode = "close", payload = frames.closePayload(1001) }
    client:readAll()
    client:close()
    ended()
    assert.truthy(running:err():find "stopping.*onStop begins\nonStop ends\nsession saw 1001\n", running:err())
  end)

  it("the port is free again at once, with clients that have not closed yet", function()
    serve()
    local client = ask "/"
    assert.equal("hello", client:answer().body)
    local port, files = running.port, running
    term()
    ended()
    running = program.start({ "serve", "routes", "-p", tostring(port), "--log", "none" })
    files:cleanup()
    assert.equal(port, running.port)
    local _, status = running:get "/about"
    assert.equal(200, status)
    term()
    ended()
  end)
end)
