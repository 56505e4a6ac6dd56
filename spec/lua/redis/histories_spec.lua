-- What a process makes of the histories that Redis has; a spec says what Redis does.

local backbone = require "sprylua.backbone"
local clock = require "sprylua.clock"
local log = require "sprylua.log"
local records = require "sprylua.topic_record"
local signal = require "sprylua.signal"

describe("a history that Redis has", function()
  local histories, hub, asked, carriers, appended, carry, await, lines, sink, manual, usual, record
  local made = 0

  before_each(function()
    package.loaded["sprylua.redis.histories"], package.loaded["sprylua.redis.outbox"] = nil, nil
    histories = require "sprylua.redis.histories"
    asked, carriers, lines = {}, {}, {}
    hub = {
      id = "me", prefix = "", channel = "c", arrived = signal.new(), connected = function() return true end,
      run = function(_, answer, _, _, _, epoch, last)
        asked[#asked + 1] = { answer = answer, epoch = epoch, last = last }
        return true
      end,
    }
    carry, await, sink = backbone.carry, records.await, log.sink
    backbone.carry = function(what, fn) carriers[what] = fn end
    log.sink = function(line) lines[#lines + 1] = line end
    manual = clock.manual()
    usual = clock.use(manual)
    appended = histories.start(hub)
    backbone.carry = carry
    made = made + 1
    record = records.declare("in Redis " .. made, 10, 1000)
    carriers.declare(record.name, "10", "1000")
  end)

  after_each(function()
    clock.use(usual)
    records.await, log.sink = await, sink
    package.loaded["sprylua.redis.histories"], package.loaded["sprylua.redis.outbox"] = nil, nil
  end)

  -- What Redis answers to the oldest question: the offset of the last message, and texts by offset.
  local function read(last, texts, more)
    local entries = {}
    for offset, text in pairs(texts) do
      local parts = { "encoding", "", "text", text, "sender", "other", "token", "", "offset", "nonsense" }
      entries[#entries + 1] = { offset .. "-0", parts }
    end
    table.sort(entries, function(a, b) return a[1] < b[1] end)
    table.remove(asked, 1).answer { "ab", last, entries, more or "" }
  end

  local function hear(offset, text)
    appended("other", record.name, "ab", tostring(offset), "", text, "")
  end

  local function texts()
    local list = {}
    for offset = record.history.first, record.history.last do list[#list + 1] = record.history:text(offset) end
    return list
  end

  it("goes on behind each page, until there is no more", function()
    read(4, { "one", "two" }, "more")
    assert.same({ "ab", "2" }, { asked[1].epoch, asked[1].last })
    assert.is_false(histories.complete())
    read(4, { [3] = "three", [4] = "four" })
    assert.same({ "one", "two", "three", "four" }, texts())
    assert.is_true(histories.complete())
    assert.same({}, asked)
  end)

  it("begins behind what is missing", function()
    read(7, { [2] = "two", [4] = "four", [5] = "five" }, "more")
    assert.same({ "four", "five" }, texts())
    read(7, {})
    assert.same({}, texts())
    assert.equal("ab:7", record.history:id())
  end)

  -- Waits as somebody does who comes with an id; what is returned says whether he still does.
  local function arrive(offset)
    local waiting = coroutine.create(function() records.await(record.name, "ab:" .. offset) end)
    assert(coroutine.resume(waiting))
    return function()
      manual:advance(0)
      return coroutine.status(waiting) == "suspended"
    end
  end

  it("is waited for by who has seen more of it elsewhere, until it comes", function()
    read(2, { "one", "two" })
    assert.is_false(arrive(2)())
    assert.same({}, asked)
    local third, fourth = arrive(3), arrive(4)
    assert.is_true(third())
    hear(3, "three")
    assert.same({ false, true }, { third(), fourth() })
    assert.same({ true, 3 }, { record.history:resume "ab:3" })
    read(4, { [4] = "four" }) -- the connection that listens may have missed it
    assert.is_false(fourth())
  end)

  it("is not waited for longer than five seconds", function()
    read(2, { "one", "two" })
    local fourth = arrive(4)
    manual:advance(4.9)
    assert.is_true(fourth())
    manual:advance(0.2)
    assert.is_false(fourth())
    assert.same({ false, 2 }, { record.history:resume "ab:4" })
  end)

  it("has text where there is none, and one line in the log", function()
    read(2, { "a\xffb", "sound" })
    hear(3, "\xc0\xaf")
    assert.same({ "a\u{FFFD}b", "sound", "\u{FFFD}\u{FFFD}" }, texts())
    assert.equal(1, #lines)
    assert.matches("messages of the topic in Redis %d+ that are not UTF%-8", lines[1])
    assert.equal('"a\u{FFFD}b"', record.history:json(1))
  end)
end)
