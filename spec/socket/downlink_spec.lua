local downlink = require "sprylua.workers.downlink"
local framing = require("sprylua.core").framing
local log = require "sprylua.log"
local tasks = require "sprylua.tasks"
local uv = require "luv"

describe("a downlink", function()
  local link, heard, other

  before_each(function()
    local ends = assert(uv.socketpair("stream", 0, { nonblock = true }, { nonblock = true }))
    other, heard = ends[2], {}
    link = downlink.open(ends[1], {
      receive = function(what)
        if what == "bad" then error "no" end
        heard[#heard + 1] = what
      end,
      stuck = function() end, pressed = function() end,
    })
  end)

  it("hears what a worker has said before its end, also when that had to wait", function()
    link:listen(false)
    uv.fs_write(other, framing.encode "one" .. framing.encode "two" .. "\9\0")
    uv.fs_close(other)
    link:finish()
    assert.same({ "one", "two" }, heard)
    link:finish()
    assert.same({ "one", "two" }, heard)
  end)

  it("comes to its end when that can't be dealt with", function()
    local before, lines = log.error, {}
    local _ <close> = tasks.defer(function() log.error = before end)
    log.error = function(line) lines[#lines + 1] = line end
    link:listen(false)
    uv.fs_write(other, framing.encode "bad")
    uv.fs_close(other)
    link:finish()
    assert.matches("what a worker has said can't be dealt with: .*no$", lines[1])
    assert.equal(0, link:waiting())
  end)
end)
