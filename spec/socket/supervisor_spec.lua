-- The whole of it is in workers_spec.lua; this is what the system refuses.

local log = require "sprylua.log"
local supervisor = require "sprylua.workers.supervisor"
local tasks = require "sprylua.tasks"
local uv = require "luv"

describe("a supervisor", function()
  it("ends when there is no socket for the link of its first worker", function()
    local socketpair, before = uv.socketpair, log.error
    local _ <close> = tasks.defer(function() uv.socketpair, log.error = socketpair, before end)
    local lines, code = {}, nil
    log.error = function(line) lines[#lines + 1] = line end
    uv.socketpair = function() return nil, "EMFILE: too many open files", "EMFILE" end
    supervisor.start {
      arguments = {}, descriptors = {}, timeout = 1,
      check = function() return true end, ready = function() end,
      ended = function(with) code = with end,
    }
    assert.equal(1, code)
    assert.same({ "worker 1 can't be started: EMFILE: too many open files" }, lines)
  end)
end)
