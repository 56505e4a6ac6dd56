local framing = require("sprylua.core").framing
local net = require "sprylua.net"
local server = require "spec.support.server"
local tasks = require "sprylua.tasks"
local uplink = require "sprylua.workers.uplink"
local uv = require "luv"

-- Opens a link to a program that has the other end as its input and output.
local function link_to(command, receive, over)
  local ends = assert(uv.socketpair("stream", 0, { nonblock = true }, {}))
  local process
  process = uv.spawn("sh", { args = { "-c", command }, stdio = { ends[2], ends[2], 2 } }, function()
    process:close()
  end)
  uv.fs_close(ends[2])
  return uplink.open(ends[1], receive or function() end, over or function() end), process
end

describe("an uplink", function()
  it("takes what comes while it waits for room", function()
    local heard = {}
    local ended = false
    local link, process = link_to("exec cat", function(what, text) heard[#heard + 1] = { what, #text } end,
      function() ended = true end)
    -- cat takes nothing more when nobody takes what it gives back.
    for _ = 1, 10 do link:send("publish", ("x"):rep(1000000)) end
    assert.same({}, heard) -- nobody has run
    server.wait(function() return #heard == 10 end, "what was sent")
    assert.same({ "publish", 1000000 }, heard[10])
    process:kill "sigkill"
    server.wait(function() return ended end, "end")
    link:send "nobody hears this"
  end)

  it("takes what comes while a finalizer sends that runs when what has come is taken", function()
    local ends = assert(uv.socketpair("stream", 0, { nonblock = true }, {}))
    local received, text, process = 0, ("x"):rep(1000000), nil
    local link = uplink.open(ends[1], function(bytes) received = received + #bytes end, function() end)
    uv.fs_write(ends[2], framing.encode(("a"):rep(100000)))
    collectgarbage "generational"
    collectgarbage "stop"
    tasks.spawn(function()
      setmetatable({}, { __gc = function()
        uv.fs_write(ends[2], framing.encode(("b"):rep(1000)))
        process = uv.spawn("sh", { args = { "-c", "sleep 0.2; exec cat >/dev/null" }, stdio = { ends[2], 1, 2 } },
          function() process:close() end)
        link:send(text)
      end })
    end)
    local read = net.read
    local _ <close> = tasks.defer(function()
      net.read = read
      collectgarbage "restart"
      uv.fs_close(ends[2])
      process:kill "sigkill"
    end)
    net.read = function(...)
      collectgarbage "restart" -- it begins with the next thing that is made
      return read(...)
    end
    server.wait(function() return received == 101000 end, "second message")
  end)

  it("delivers what was said before the end", function()
    local heard, ended = {}, 0
    local message = framing.encode("bye", ""):gsub(".", function(byte) return ("\\%03o"):format(byte:byte()) end)
    link_to(("printf '%s'"):format(message), function(what)
      assert.equal(0, ended)
      heard[#heard + 1] = what
    end, function() ended = ended + 1 end)
    server.wait(function() return ended == 1 end, "end")
    assert.same({ "bye" }, heard)
  end)

  it("ends when the other side has gone without reading all", function()
    local ends = assert(uv.socketpair("stream", 0, { nonblock = true }, {}))
    local ended = 0
    local link = uplink.open(ends[1], function() end, function() ended = ended + 1 end)
    link:send "unread"
    uv.fs_close(ends[2])
    server.wait(function() return ended == 1 end, "end")
  end)

  it("ends when a write fails", function()
    local ended = 0
    local link, process = link_to("exec sleep 60", nil, function() ended = ended + 1 end)
    process:kill "sigkill"
    for _ = 1, 10 do link:send(("x"):rep(1000000)) end
    assert.equal(1, ended)
  end)
end)
