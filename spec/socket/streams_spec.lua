-- Streams over real sockets: a client that does not read costs next to nothing, one that goes away ends the producer.

local http = require "sprylua.testing.http"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

-- A sanitizer keeps freed memory for a while.
local MEBIBYTE = 1 << 20
local SANITIZED = (os.getenv "SPRYLUA_BIN" or ""):find("asan", 1, true) ~= nil

local routes = {
  ["gibibyte.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        local piece = ("x"):rep(65536)
        for i = 1, 16384 do
          WRITTEN = i
          if not write(piece) then return end
        end
      end)
    end]],
  ["events.get.lua"] = [[
    local spry = require "sprylua"
    return function(event)
      return spry.Response.events(function(send)
        local _ <close> = spry.defer(function() ENDED = (ENDED or 0) + 1 end)
        send(event.headers:get "last-event-id" or "none")
        spry.sleep(3600)
      end)
    end]],
  ["ticks.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        local _ <close> = spry.defer(function() ENDED = (ENDED or 0) + 1 end)
        while true do
          write "tick\n"
          spry.sleep(0.01)
        end
      end)
    end]],
  ["raising.get.lua"] = [[
    local spry = require "sprylua"
    return function()
      return spry.Response.stream(function(write)
        write "half"
        spry.sleep(0.05)
        error "boom"
      end)
    end]],
  ["now.get.lua"] = [[
    local core = require "sprylua.core"
    return function()
      return { ended = ENDED or 0, written = WRITTEN or 0, tasks = core.stats().tasks }
    end]],
}

describe("a stream", function()
  local running, clients

  before_each(function()
    clients = {}
    local files = { ["sprylua.config.lua"] = "return { shutdownTimeout = 5 }" }
    for name, text in pairs(routes) do files["routes/" .. name] = text end
    running = server.serve(temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
  end)

  after_each(function()
    for _, client in ipairs(clients) do client:close() end
    running:cleanup()
  end)

  local function connect()
    local client = server.connect(running.port)
    clients[#clients + 1] = client
    return client
  end

  local function ask(path)
    local client = connect()
    client:send(http.request("GET", path, {}))
    local answer = client:answer()
    client:close()
    return answer:json()
  end

  -- Bytes of the server that have ever been in memory at once.
  local function peak()
    local file = assert(io.open(("/proc/%d/status"):format(running.pid)))
    local kibibytes = file:read("a"):match "VmHWM:%s*(%d+) kB"
    file:close()
    return tonumber(kibibytes) * 1024
  end

  local function ends(n)
    server.wait(function()
      local now = ask "/now"
      return now.ended == n and now.tasks == 1
    end, "end of the producer")
  end

  it("of a GiB that nobody reads costs the server less than 4 MiB", function()
    ask "/now"
    local before = peak()
    local client = connect()
    client:pause()
    client:send(http.request("GET", "/gibibyte", {}))
    local written = 0
    server.wait(function() -- until it writes no more, while others are served
      local last = written
      written = ask "/now".written
      return written > 0 and written == last
    end, "stand-still of the writer")
    assert.is_true(written < 16384)
    assert.is_true(peak() - before < (SANITIZED and 64 or 4) * MEBIBYTE, ("%d bytes"):format(peak() - before))
    client:close(true)
    ends(0)
    server.stop(running)
  end)

  it("of events ends when its client closes, though nothing is being sent", function()
    local client = connect()
    client:send(http.request("GET", "/events", { headers = { ["last-event-id"] = "41" } }))
    client:readUntil("data: 41\n\n", true)
    client:close()
    ends(1)
    server.stop(running)
  end)

  it("ends when its client closes, or is reset, at the next words", function()
    for i, reset in ipairs { false, true } do
      local client = connect()
      client:send(http.request("GET", "/ticks", {}))
      client:readUntil("tick\n", true)
      client:close(reset)
      ends(i)
    end
    server.stop(running)
  end)

  it("that breaks off does not look complete, to HTTP/1.0 clients either", function()
    local client = connect()
    client:send "GET /raising HTTP/1.0\r\n\r\n"
    server.wait(function() return client.ended end, "end of the connection")
    assert.matches("\r\n\r\nhalf$", client.received)
    assert.equal("ECONNRESET", client.failed)
    client = connect()
    client:send(http.request("GET", "/raising", {}))
    assert.matches("4\r\nhalf\r\n$", client:readAll())
    assert.is_nil(client.failed)
    server.stop(running)
  end)

  it("of events does not keep a server from stopping", function()
    local client = connect()
    client:send(http.request("GET", "/events", {}))
    client:readUntil("data: none\n\n", true)
    server.stop(running)
    client:readAll()
  end)
end)
