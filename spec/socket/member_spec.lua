local framing = require("sprylua.core").framing
local program = require "spec.support.program"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"
local uv = require "luv"

describe("a worker", function()
  it("ends when the process above it does so in the moment in which it could serve", function()
    local folder = temp_routes.project { ["routes/index.lua"] = "return function() return 'hello' end" }
    local listener = uv.new_tcp()
    listener:bind("127.0.0.1", 0)
    listener:listen(1, function() end)
    local ends = assert(uv.socketpair("stream", 0, { nonblock = true }, {}))
    local link, process, code = uv.new_pipe(false), nil, nil
    process = uv.spawn(program.path, {
      args = { "serve", folder .. "/routes", "-w", "2", "--log", "none" },
      env = { "SPRYLUA_WORKER=1 abcdef first" },
      stdio = { 0, 1, 2, listener:fileno(), ends[2] },
    }, function(with)
      code = with
      process:close()
    end)
    finally(function()
      if not link:is_closing() then link:close() end
      if not code then process:kill "sigkill" end
    end)
    uv.fs_close(ends[2])
    listener:close()
    link:open(ends[1])
    link:read_start(function(_, bytes)
      if not (bytes and bytes:find "hello") then return end
      link:write(framing.encode "welcome")
      link:shutdown()
    end)
    server.wait(function() return code end, "end of the worker")
    assert.equal(0, code)
  end)
end)
