-- What only real sockets show: bytes that come late or never, peers that vanish or do not read, many at once, and other
-- people's callbacks on the loop. Orders are compared, never times; limits that are to be reached are made small.

local frames = require "sprylua.testing.frames"
local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"
local testing = require "sprylua.testing"

-- How many of what are alive in the server: the request that asks is one of each.
local stats = [[
  local core = require "sprylua.core"
  return function() return core.stats() end]]

local hello = "return function(event) return 'hello ' .. event.path end"

describe("the server", function()
  local running, clients

  before_each(function() clients = {} end)

  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    if running then running:cleanup() end
    running = nil
  end)

  -- `config` is the text of a table.
  local function serve(routes, config, arguments)
    local files = { ["sprylua.config.lua"] = "return " .. (config or "{}"), ["routes/stats.get.lua"] = stats }
    for name, text in pairs(routes) do files["routes/" .. name] = text end
    running = server.serve(temp_routes.project(files) .. "/routes", {
      arguments = { "--log", "none", table.unpack(arguments or {}) },
    })
  end

  local function connect()
    local client = server.connect(running.port)
    clients[#clients + 1] = client
    return client
  end

  local function ask(path, method, opts)
    local client = connect()
    client:send(http.request(method or "GET", path, opts))
    local answer = client:answer(method)
    client:close()
    return answer
  end

  -- Waits until nothing is alive but the question itself.
  local function settled()
    local now
    server.wait(function()
      now = ask("/stats"):json()
      return now.connections == 1 and now.tasks == 1 and now.sessions == 0
    end, "end of what was running")
  end

  -- For the end of a spec: all is let go, and the server can be stopped in good order.
  local function ends_well()
    for _, client in ipairs(clients) do client:close() end
    settled()
    server.stop(running)
  end

  describe("takes bytes as they come", function()
    it("one by one", function()
      serve { ["echo.post.lua"] = "return function(event) return event.request:text() end" }
      local client = connect()
      client.tcp:nodelay(true)
      for byte in http.request("POST", "/echo", { body = "drop by drop" }):gmatch "." do
        client:send(byte)
        server.turn()
      end
      assert.equal("drop by drop", client:answer().body)
      ends_well()
    end)

    it("in two parts, wherever the cut is, with a pause in between", function()
      serve { ["echo.post.lua"] = "return function(event) return event.request:text() end" }
      local request = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      local all = {}
      for cut = 1, #request - 1 do
        local client = connect()
        client:send(request:sub(1, cut))
        all[cut] = client
      end
      server.sleep(0.05)
      for cut, client in ipairs(all) do client:send(request:sub(cut + 1)) end
      for cut, client in ipairs(all) do assert.equal("abc", client:answer().body, "cut at " .. cut) end
      ends_well()
    end)

    it("many requests in one piece, answered in their order", function()
      serve {
        ["quick.lua"] = hello,
        ["slow.lua"] = "return function(event) require 'sprylua'.sleep(0.01) return 'slow ' .. event.path end",
      }
      local client = connect()
      local requests = {}
      for i = 1, 60 do
        requests[i] = http.request("GET", (i % 3 == 0 and "/slow?" or "/quick?") .. i)
      end
      client:send(table.concat(requests))
      for i = 1, 60 do
        assert.equal(i % 3 == 0 and "slow /slow?" .. i or "hello /quick?" .. i, client:answer().body)
      end
      ends_well()
    end)

    it("and half-closed: what was asked before is answered, then it closes", function()
      serve {
        ["index.lua"] = hello,
        ["slow.lua"] = "return function() require 'sprylua'.sleep(0.1) return 'slow' end",
        ["echo.post.lua"] = "return function(event) return event.request:text() end",
      }
      local client = connect()
      client:send(http.request("GET", "/slow") .. http.request("GET", "/")
        .. http.request("POST", "/echo", { body = "to the end" }))
      client:finish()
      assert.equal("slow", client:answer().body)
      assert.equal("hello /", client:answer().body)
      assert.equal("to the end", client:answer().body)
      assert.equal("", client:readAll())
      ends_well()
    end)

    it("and half-closed too early: 400", function()
      serve { ["echo.post.lua"] = "return function(event) return event.request:text() end" }
      for _, part in ipairs { "GET / HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc" } do
        local client = connect()
        client:send(part)
        client:finish()
        assert.equal(400, client:answer().status)
        client:readAll()
      end
      ends_well()
    end)

    it("and closed without a word", function()
      serve { ["index.lua"] = hello }
      for _ = 1, 20 do connect():finish() end
      for _, client in ipairs(clients) do assert.equal("", client:readAll()) end
      ends_well()
    end)
  end)

  describe("survives a reset", function()
    local routes = {
      ["index.lua"] = hello,
      ["echo.lua"] = "return function(event) return event.request:text() end",
      ["slow.lua"] = [[
        return function()
          for _ = 1, 20 do require "sprylua".sleep(0.01) end
          return ("x"):rep(1000000)
        end]],
      ["stream.lua"] = [[
        return function()
          return require "sprylua".Response.stream(function(write)
            while write(("x"):rep(10000)) do require "sprylua".sleep(0.001) end
          end)
        end]],
      ["ws.lua"] = "return function(event) return event.ws:upgrade(function(ws) ws.events:drain() end) end",
    }
    local handshake = testing.handshake "/ws"

    for name, bytes in pairs {
      ["before anything"] = "",
      ["in a request's head"] = "GET / HTTP/1.1\r\nHo",
      ["in a request's body"] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
      ["while the handler sleeps"] = http.request("GET", "/slow"),
      ["in the answer"] = http.request("GET", "/stream"),
      ["in a pipeline"] = http.request("GET", "/slow"):rep(20),
      ["in a session"] = handshake,
      ["in a frame"] = handshake .. "\x81\xfe\xff\xffabcdefg",
    } do
      it(name, function()
        serve(routes)
        for pause = 0, 4 do
          local client = connect()
          client:send(bytes)
          for _ = 1, pause do server.turn() end
          client:close(true)
        end
        assert.equal("hello /", ask("/").body)
        ends_well()
      end)
    end
  end)

  describe("with a slow reader", function()
    local routes = {
      ["index.lua"] = hello,
      ["whole.lua"] = "return function() return ('0123456789abcdef'):rep(2 * 1024 * 1024) end", -- 32 MiB
      ["stream.lua"] = [[
        local progress = require "progress"
        return function()
          return require "sprylua".Response.stream(function(write)
            for i = 1, 1024 do
              write(("x"):rep(65536)) -- 64 MiB in all
              progress.written = i
            end
          end)
        end]],
      ["../progress.lua"] = "return { written = 0 }",
      ["written.lua"] = "return function() return tostring(require 'progress'.written) end",
      ["flood.lua"] = [[
        local progress = require "progress"
        return function(event)
          return event.ws:upgrade(function(ws)
            for i = 1, 1024 do
              ws:sendBinary(("x"):rep(65536))
              ws:flush()
              progress.written = i
            end
          end)
        end]],
    }

    -- Reads on without keeping it all; returns how much there was.
    local function count(client, wanted)
      local size = 0
      client:read()
      server.wait(function()
        size = size + #client.received
        client.received = ""
        return size >= wanted or client.ended
      end, "whole answer", 60)
      return size
    end

    -- Waits until the writer makes no progress; returns how far it got.
    local function stalled()
      local last, same = "", 0
      server.wait(function()
        local now = ask("/written").body
        last, same = now, now == last and same + 1 or 0
        return same == 20 and now ~= "0"
      end, "stalled writer", 60)
      return tonumber(last)
    end

    local function paused(path, request)
      local client = connect()
      client:pause()
      client:send(request or http.request("GET", path, { headers = { Connection = "close" } }))
      return client
    end

    it("of a large answer, others are served meanwhile, and it gets all of it", function()
      serve(routes)
      local slow = {}
      for i = 1, 3 do slow[i] = paused "/whole" end
      for _ = 1, 50 do assert.equal("hello /", ask("/").body) end
      for _, client in ipairs(slow) do assert.truthy(count(client, math.huge) > 32 * 1024 * 1024) end
      ends_well()
    end)

    it("of a stream, the writer waits for it", function()
      serve(routes)
      local client = paused "/stream"
      local written = stalled()
      assert.truthy(written < 512, "the server holds what the client does not read: " .. written)
      assert.truthy(count(client, math.huge) > 64 * 1024 * 1024)
      assert.equal("1024", ask("/written").body)
      ends_well()
    end)

    it("in a session, ws:flush waits for it", function()
      serve(routes)
      local client = paused("/flood", testing.handshake "/flood")
      local written = stalled()
      assert.truthy(written < 512, "the server holds what the client does not read: " .. written)
      assert.truthy(count(client, 64 * 1024 * 1024) > 64 * 1024 * 1024)
      ends_well()
    end)

    it("that never reads, pipelined requests are not answered without end", function()
      serve { ["index.lua"] = "local page = ('x'):rep(100000) return function() return page end",
        ["count.lua"] = hello }
      local client = connect()
      client:pause()
      local request = http.request("GET", "/")
      client:send(request:rep(5000)) -- answers of 500 MB
      for _ = 1, 20 do assert.equal(200, ask("/stats").status) end
      local memory = io.open(("/proc/%s/statm"):format(running.pid)):read "a":match "^%d+ (%d+)"
      assert.truthy(tonumber(memory) * 4096 < 400e6, "resident pages: " .. memory)
      ends_well()
    end)

    for _, kind in ipairs { "text", "ping" } do
      it(("that never reads what its own frames (%s) are answered with, its frames are not read either"):format(kind),
        function()
          serve {
            ["index.lua"] = hello,
            ["echo.lua"] = [[
              return function(event)
                return event.ws:upgrade(function(ws)
                  for kind, data in ws.events do
                    if kind == "text" then ws:sendText(data) end
                    ws:flush()
                  end
                end)
              end]],
          }
          local client = connect()
          client:pause()
          client:send(testing.handshake "/echo")
          local frame = frames.encode { opcode = kind, payload = ("x"):rep(100) }
          local all = frame:rep(64 * 1024 * 1024 // #frame)
          client:send(all)
          local last, same = #all, 0
          server.wait(function()
            assert.equal("hello /", ask("/").body)
            local left = client.tcp:write_queue_size()
            last, same = left, left == last and same + 1 or 0
            return same == 20
          end, "stalled client", 60)
          assert.truthy(last > #all / 2, "the server read on, although its answers are not: " .. last)
          ends_well()
        end)
    end

    it("that stalls for good, the connection ends after limits.idleTimeout", function()
      serve(routes, "{ limits = { idleTimeout = 0.3 } }")
      local client = paused "/stream"
      settled()
      client:read()
      client:readAll()
      assert.truthy(#client.received < 64 * 1024 * 1024)
      ends_well()
    end)
  end)

  describe("serves many", function()
    it("idle connections, and whoever asks beside them", function()
      serve { ["index.lua"] = hello }
      for _ = 1, 300 do connect() end
      assert.equal("hello /", ask("/").body)
      assert.equal(301, ask("/stats"):json().connections)
      for i, client in ipairs(clients) do
        if i <= 300 then client:send(http.request("GET", "/?" .. i)) end
      end
      for i, client in ipairs(clients) do
        if i <= 300 then assert.equal("hello /?" .. i, client:answer().body) end
      end
      ends_well()
    end)

    it("sleeping handlers, and a quick one at once", function()
      serve {
        ["sleep.lua"] = [[
          local state = require "state"
          local spry = require "sprylua"
          return function()
            state.sleeping = state.sleeping + 1
            repeat spry.sleep(0.5) until state.released
            return "slept"
          end]],
        ["../state.lua"] = "return { sleeping = 0 }",
        ["count.get.lua"] = "return function() return tostring(require 'state'.sleeping) end",
        ["release.post.lua"] = "return function() require 'state'.released = true return 'released' end",
      }
      local sleepers = {}
      for i = 1, 1000 do
        sleepers[i] = connect()
        sleepers[i]:send(http.request("GET", "/sleep"))
      end
      -- Each of these is answered while they sleep.
      server.wait(function() return ask("/count").body == "1000" end, "thousand sleeping handlers", 60)
      for _, client in ipairs(sleepers) do assert.equal("", client.received) end
      assert.equal("released", ask("/release", "POST").body)
      for _, client in ipairs(sleepers) do assert.equal("slept", client:answer("GET", 60).body) end
      ends_well()
    end)

    it("but not more than limits.connections: 503", function()
      serve({ ["index.lua"] = hello }, "{ limits = { connections = 3 } }")
      local first = connect()
      connect()
      connect()
      first:send(http.request("GET", "/"))
      assert.equal(200, first:answer().status)
      for _ = 1, 3 do
        local refused = connect()
        local answer = refused:answer()
        assert.equal(503, answer.status)
        assert.equal("close", answer.headers:get "connection")
        assert.equal("", refused:readAll())
        refused:close()
      end
      first:close()
      server.wait(function()
        local again = connect()
        again:send(http.request("GET", "/"))
        local status = again:answer().status
        again:close()
        return status == 200
      end, "place for another connection")
      for _, client in ipairs(clients) do client:close() end
      server.stop(running)
    end)
  end)

  describe("has deadlines", function()
    it("for a head: 408, and the connection ends", function()
      serve({ ["index.lua"] = hello }, "{ limits = { headerTimeout = 0.2 } }")
      local client = connect()
      client:send "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
      local answer = client:answer()
      assert.equal(408, answer.status)
      assert.equal("close", answer.headers:get "connection")
      assert.equal("", client:readAll())
      ends_well()
    end)

    it("for a head that comes drop by drop", function()
      serve({ ["index.lua"] = hello }, "{ limits = { headerTimeout = 0.2 } }")
      local client = connect()
      client:send "GET / HTTP/1.1\r\nHost: x\r\n"
      server.wait(function()
        if not client.ended then client:send "A: b\r\n" end
        server.sleep(0.02)
        return client.received:find("\r\n\r\n", 1, true)
      end, "answer")
      assert.equal(408, client:answer().status)
      ends_well()
    end)

    it("for a body", function()
      serve({
        ["echo.post.lua"] = "return function(event) return event.request:text() end",
      }, "{ limits = { bodyTimeout = 0.2 } }")
      local client = connect()
      client:send "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
      assert.equal(408, client:answer().status)
      client:readAll()
      ends_well()
    end)

    it("for a handler: 503, and its <close> variables are closed", function()
      serve({
        ["never.lua"] = [[
          return function()
            local _ <close> = require "sprylua".defer(function() require "state".closed = true end)
            while true do coroutine.yield() end
          end]],
        ["../state.lua"] = "return {}",
        ["closed.lua"] = "return function() return tostring(require 'state'.closed) end",
      }, "{ limits = { requestTimeout = 0.2 } }")
      assert.equal(503, ask("/never").status)
      assert.equal("true", ask("/closed").body)
      ends_well()
    end)

    it("is not idle when its request has come while a route held up the loop", function()
      serve({
        ["index.lua"] = hello,
        ["hold.get.lua"] = "return function() io.stderr:write 'held up\\n' require 'luv'.sleep(900) return 'held' end",
      }, "{ limits = { idleTimeout = 0.3 } }")
      local waiting, holding = connect(), connect()
      waiting:send(http.request("GET", "/"))
      assert.equal("hello /", waiting:answer().body)
      holding:send(http.request("GET", "/hold"))
      server.wait(function() return running:err():find "held up" end, "the route")
      waiting:send(http.request("GET", "/"))
      assert.equal("hello /", waiting:answer().body)
      assert.equal("held", holding:answer().body)
      ends_well()
    end)

    it("is not idle when its request has come while a route holds up the loop again and again", function()
      serve({
        ["index.lua"] = hello,
        ["hold.get.lua"] = [[
          local uv = require "luv"
          return function()
            io.stderr:write "held up\n"
            local thread, times = coroutine.running(), 0
            local function hold()
              uv.sleep(400)
              times = times + 1
              if times == 3 then coroutine.resume(thread) else uv.fs_stat(".", hold) end
            end
            uv.fs_stat(".", hold)
            coroutine.yield()
            return "held"
          end]],
      }, "{ limits = { idleTimeout = 1 } }")
      local idle, asked = {}, {}
      for i = 1, 24 do
        idle[i] = connect()
        idle[i]:send(http.request("GET", "/"))
        assert.equal("hello /", idle[i]:answer().body)
        asked[i] = uv.hrtime() + 0.7e9
        server.sleep(0.025)
      end
      local holding = connect()
      holding:send(http.request("GET", "/hold"))
      for i, client in ipairs(idle) do
        server.sleep((asked[i] - uv.hrtime()) / 1e9)
        client:send(http.request("GET", "/"))
      end
      for _, client in ipairs(idle) do assert.equal("hello /", client:answer().body) end
      assert.equal("held", holding:answer().body)
      ends_well()
    end)

    it("for an idle connection, before a request and after one: it closes without a word", function()
      serve({ ["index.lua"] = hello }, "{ limits = { idleTimeout = 0.2 } }")
      local fresh, used = connect(), connect()
      used:send(http.request("GET", "/"))
      assert.equal(200, used:answer().status)
      assert.equal("", used:readAll())
      assert.equal("", fresh:readAll())
      ends_well()
    end)

    it("for an idle connection counts from the answer, also when a timer's callback gave it", function()
      serve({
        ["slow.lua"] = "return function() require 'sprylua'.sleep(0.8) return 'slow' end",
      }, "{ limits = { idleTimeout = 0.6 } }")
      local used = connect()
      for _ = 1, 2 do
        used:send(http.request("GET", "/slow"))
        assert.equal("slow", used:answer().body)
      end
      ends_well()
    end)

    it("for a silent WebSocket: pings, then it is gone", function()
      serve({
        ["ws.lua"] = [[
          return function(event)
            return event.ws:upgrade(function(ws)
              for kind, code in ws.events do
                if kind == "close" then require "state".code = code end
              end
            end)
          end]],
        ["../state.lua"] = "return {}",
        ["code.lua"] = "return function() return tostring(require 'state'.code) end",
      }, "{ ws = { pingInterval = 0.1, deadAfter = 0.5 } }")
      local client = connect()
      client:send(testing.handshake "/ws")
      assert.equal(101, client:answer().status)
      assert.equal("ping", client:frame().name)
      client:readAll()
      assert.equal("1006", ask("/code").body)
      ends_well()
    end)
  end)

  describe("shares its loop with luv", function()
    it("a handler may wait for whatever luv does", function()
      serve {
        ["file.lua"] = [[
          local uv = require "luv"
          -- The usual way to wait for a callback: remember the coroutine, yield, resume it from there.
          local function await(start)
            local thread = coroutine.running()
            start(function(problem, result) coroutine.resume(thread, problem, result) end)
            local problem, result = coroutine.yield()
            assert(not problem, problem)
            return result
          end
          return function(event)
            local file = await(function(done) uv.fs_open(event.query:get "name", "r", 420, done) end)
            local text = await(function(done) uv.fs_read(file, 100, 0, done) end)
            await(function(done) uv.fs_close(file, done) end)
            return text
          end]],
        ["timer.lua"] = [[
          local uv = require "luv"
          return function()
            local thread, ticks, timer = coroutine.running(), 0, uv.new_timer()
            timer:start(1, 1, function()
              ticks = ticks + 1
              if ticks < 5 then return end
              timer:close()
              coroutine.resume(thread)
            end)
            coroutine.yield()
            return "after " .. ticks
          end]],
        ["work.lua"] = [[
          local uv = require "luv"
          return function()
            local thread, answer = coroutine.running(), nil
            local work = uv.new_work(function(n)
              local sum = 0
              for i = 1, n do sum = sum + i end
              return sum
            end, function(sum)
              answer = sum
              coroutine.resume(thread)
            end)
            work:queue(100000)
            repeat coroutine.yield() until answer
            return ("%d"):format(answer)
          end]],
        ["child.lua"] = [[
          local uv = require "luv"
          return function()
            local thread, said = coroutine.running(), ""
            local pipe, open, handle = uv.new_pipe(false), 2, nil
            local function done()
              open = open - 1
              if open == 0 then coroutine.resume(thread) end
            end
            handle = uv.spawn("echo", { args = { "from a child" }, stdio = { nil, pipe } }, function()
              handle:close()
              done()
            end)
            pipe:read_start(function(_, bytes)
              if bytes then said = said .. bytes return end
              pipe:close()
              done()
            end)
            repeat coroutine.yield() until open == 0
            return said
          end]],
      }
      local file = os.tmpname()
      finally(function() os.remove(file) end)
      io.open(file, "w"):write("from a file"):close()
      assert.equal("from a file", ask("/file?name=" .. file).body)
      assert.equal(500, ask("/file?name=" .. file .. ".not").status)
      assert.equal("after 5", ask("/timer").body)
      assert.equal("5000050000", ask("/work").body)
      assert.equal("from a child\n", ask("/child").body)
      -- And all of it at once.
      for i = 1, 100 do
        local path = ({ "/file?name=" .. file, "/timer", "/work" })[i % 3 + 1]
        connect():send(http.request("GET", path, { headers = { Connection = "close" } }))
      end
      for i, client in ipairs(clients) do
        if i > 5 then assert.equal(200, client:answer().status) end
      end
      ends_well()
    end)

    it("an error in a callback is logged, and everybody goes on", function()
      serve {
        ["index.lua"] = hello,
        ["bad.lua"] = [[
          return function(event)
            local timer = require "luv".new_timer()
            timer:start(1, 0, function()
              timer:close()
              local kind = event_kind
              local mute = setmetatable({}, { __tostring = function() error "not even its name" end })
              error(({ text = "on purpose", table = {}, mute = mute })[kind])
            end)
            return "started"
          end]],
        ["kind.lua"] = [[
          -- luacheck: ignore
          return function(event) event_kind = event.query:get "is" return "ok" end]],
      }
      for i, kind in ipairs { "text", "table", "mute", "nothing" } do
        ask("/kind?is=" .. kind)
        assert.equal("started", ask("/bad").body)
        running:wait(function()
          local _, n = running:err():gsub("a luv callback raised", "")
          return n == i
        end, "a word on the error")
        assert.equal("hello /", ask("/").body)
      end
      assert.truthy(running:err():find("on purpose", 1, true))
      ends_well()
    end)

    it("a coroutine that is resumed by the wrong hand, too early or too late, harms nobody", function()
      serve {
        ["stray.lua"] = [[
          local spry, uv = require "sprylua", require "luv"
          return function(event)
            local thread = coroutine.running()
            for i = 1, 5 do
              local timer = uv.new_timer()
              timer:start(i * 20, 0, function()
                timer:close()
                coroutine.resume(thread) -- it sleeps, or is done long ago
              end)
            end
            spry.sleep(0.05)
            return "slept " .. #event.request:text()
          end]],
      }
      for _ = 1, 5 do
        assert.equal("slept 3", ask("/stray", "POST", { body = "abc" }).body)
      end
      server.sleep(0.15)
      ends_well()
    end)
  end)

  describe("knows addresses", function()
    local routes = { ["index.lua"] = "return function(event) return event.remoteAddress end" }

    it("of IPv4 clients", function()
      serve(routes)
      assert.equal("127.0.0.1", ask("/").body)
      ends_well()
    end)

    it("of IPv6 clients, on ::1", function()
      serve(routes, nil, { "-H", "::1" })
      assert.truthy(running.url:find "^http://%[::1%]:%d+/$")
      local client <close> = server.connect(running.port, "::1")
      client:send(http.request("GET", "/", { headers = { Host = "[::1]:" .. running.port } }))
      assert.equal("::1", client:answer().body)
      assert.equal("::1", (running:get "/"))
      client:close()
      server.stop(running)
    end)

    it("and names: localhost", function()
      serve(routes, nil, { "-H", "localhost" })
      assert.truthy(({ ["127.0.0.1"] = true, ["::1"] = true })[(running:get "/")])
      server.stop(running)
    end)
  end)
end)
