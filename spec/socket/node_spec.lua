-- Node's clients against a real server: the npm package ws, and Node's own http. Each `it` is a scenario of
-- spec/node/ws.js or spec/node/http.js; what it expects is written there.

local clients = require "spec.support.clients"
local echo_routes = require "spec.support.echo_routes"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local files = {
  ["routes/index.lua"] = "return function(event) return event.path end",
  ["routes/raise.lua"] = "return function() error 'on purpose' end",
  ["routes/form.post.lua"] = [[
    return function(event)
      local form = event.request:multipart()
      local out = { fields = {}, files = {} }
      for name, value in pairs(form.fields) do table.move({ name, value }, 1, 2, #out.fields + 1, out.fields) end
      for i, file in ipairs(form.files) do out.files[i] = { file.name, file.filename, file.type, file.size } end
      return out
    end]],
  ["routes/count.post.lua"] = [[
    local seen = require "seen"
    return function(event)
      local bytes, sum = 0, 0
      seen.reading = seen.reading + 1
      local ok, problem = pcall(function()
        for chunk in event.request:chunks() do
          bytes = bytes + #chunk
          for at = 1, #chunk do sum = sum + chunk:byte(at) end
        end
      end)
      seen.reading = seen.reading - 1
      if not ok then
        seen.broken, seen.status = seen.broken + 1, problem.status
        error(problem, 0)
      end
      return { bytes = bytes, sum = sum, encoding = event.headers:get "transfer-encoding" }
    end]],
  ["routes/big.get.lua"] = [[
    local Response = require "sprylua".Response
    return function()
      return Response.stream(function(write)
        for i = 0, 255 do write(string.char(i):rep(65536)) end
      end)
    end]],
  ["routes/endless.get.lua"] = [[
    local Response = require "sprylua".Response
    local seen = require "seen"
    return function()
      return Response.stream(function(write)
        local ok, told
        repeat ok, told = write(("x"):rep(65536)) until not ok
        seen.told = told
      end)
    end]],
  ["routes/broken.get.lua"] = [[
    local Response = require "sprylua".Response
    return function()
      return Response.stream(function(write)
        write(("x"):rep(1000))
        require "sprylua".sleep(0.05)
        error "on purpose, half way"
      end)
    end]],
  ["routes/cookies.get.lua"] = [[
    return function(event)
      local cookies = event.cookies
      cookies:set("seen", "a" .. cookies:get "a" .. "b" .. cookies:get "b", { httpOnly = true, sameSite = "lax" })
      cookies:set("other", "x")
      return "ok"
    end]],
}

for name, text in pairs(echo_routes) do files[name] = text end

describe("Node", function()
  local running

  local function serve(routes)
    running = server.serve(routes or temp_routes.project(files) .. "/routes", { arguments = { "--log", "none" } })
  end

  after_each(function()
    if running then running:cleanup() end
    running = nil
  end)

  -- Each leaves a server behind that can be stopped in good order.
  local function plays(script, module, list)
    for _, case in ipairs(list) do
      local name, scenario, routes = table.unpack(case, 1, 3)
      it(name, function()
        serve(routes)
        clients.node(script, module, scenario, running.url)
        server.stop(running)
      end)
    end
  end

  describe("ws", function()
    plays("ws.js", "ws", {
      { "echoes: texts and bytes of every size, empty ones too", "echo" },
      { "gets a burst back in order", "burst" },
      { "sends a message in fragments, with a ping in between", "fragments" },
      { "pings and is pinged", "ping" },
      { "agrees on a subprotocol, or on none", "subprotocol" },
      { "is refused with a status", "refused" },
      { "closes, and the session sees code and reason", "closeByClient" },
      { "is closed: by ws:close, by the session's end, by its error", "closeByServer" },
      { "gets everything that was sent before the close", "closeAfterBurst" },
      { "vanishes: 1006", "terminate" },
      { "vanishes in the middle of messages", "terminateBusy" },
      { "meets another in the room", "room", "routes" },
      { "comes 200 times at once", "many" },
      { "compresses, in every way that it can", "deflate" },
      { "sends compressed messages in fragments, and is not fooled by a bomb", "deflateLimits" },
    })

    it("that stays is told 1001 when the server stops", function()
      serve "routes"
      local child <close> = clients.start_node("ws.js", "ws", "stay", running.url, "room")
      child:saw "(open)\n"
      server.stop(running)
      assert.equal(0, child:ended())
      assert.equal("open\nclosed 1001 \n", child.out)
    end)
  end)

  describe("http", function()
    plays("http.js", nil, {
      { "keeps one connection for a hundred requests", "keepAlive" },
      { "keeps it after every kind of answer", "mixed" },
      { "uploads in chunks", "chunkedUpload" },
      { "sends a form", "formData" },
      { "uploads with trailers", "trailers" },
      { "waits for 100 Continue", "expectContinue" },
      { "is told when a body is too large", "tooLarge" },
      { "breaks an upload off", "abortedUpload" },
      { "downloads 16 MiB", "large" },
      { "breaks a download off", "abortedDownload" },
      { "sees that a stream was broken off by an error", "brokenOff" },
      { "asks a thousand times over a hundred connections", "parallel" },
      { "gets cookies", "cookies" },
    })
  end)
end)
