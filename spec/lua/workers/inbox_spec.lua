local framing = require("sprylua.core").framing
local inbox = require "sprylua.workers.inbox"
local temp_routes = require "spec.support.temp_routes"

describe("an inbox", function()
  it("delivers what is whole, in order", function()
    local heard = {}
    local box = inbox.new(function(...) heard[#heard + 1] = { ... } end)
    local last = framing.encode "last"
    box.reader:add(framing.encode("a", "b") .. framing.encode "c" .. last:sub(1, 3))
    box:deliver()
    assert.same({ { "a", "b" }, { "c" } }, heard)
    box.reader:add(last:sub(4))
    box:deliver()
    assert.same({ "last" }, heard[3])
  end)

  it("delivers the others later when one of them raises", function()
    local heard, clock = {}, temp_routes.app({}).clock
    local box = inbox.new(function(what)
      heard[#heard + 1] = what
      if what == "bad" then error "no" end
    end)
    box.reader:add(framing.encode "good" .. framing.encode "bad" .. framing.encode "next")
    assert.has_error(function() box:deliver() end)
    assert.same({ "good", "bad" }, heard)
    clock:advance(0.1)
    assert.same({ "good", "bad", "next" }, heard)
  end)

  it("delivers nothing when it is closed, also by a message", function()
    local heard, box = {}, nil
    box = inbox.new(function(what)
      heard[#heard + 1] = what
      box:close()
    end)
    box.reader:add(framing.encode "one" .. framing.encode "two")
    box:deliver()
    assert.same({ "one" }, heard)
  end)
end)
