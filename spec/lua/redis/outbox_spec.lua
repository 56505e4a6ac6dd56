-- The way of messages to Redis, without one: what is sent when, and again, and what is given up.

local clock = require "sprylua.clock"
local log = require "sprylua.log"

describe("the outbox", function()
  local outbox, hub, sent, manual, usual, sink

  -- What the hub was asked to do: the text of a message, whether the one before it has to be there, and how it answers.
  local function new_hub()
    sent = {}
    return {
      id = "me", prefix = "", channel = "c", room = math.huge, up = true,
      connected = function(self) return self.up end,
      renew = function(self, why) self.renewed = why end,
      try = function(self, answer, _, _, ...)
        if #sent >= self.room then return false end
        sent[#sent + 1] = { text = select(12, ...), behind = select(8, ...), answer = answer }
        return true
      end,
    }
  end

  before_each(function()
    package.loaded["sprylua.redis.outbox"] = nil
    outbox = require "sprylua.redis.outbox"
    hub = new_hub()
    outbox.start(hub, function() return { keys = { "a", "b" }, epoch = "", last = "0", count = 5, bytes = 100 } end)
    manual, sink = clock.manual(), log.sink
    usual = clock.use(manual)
    log.sink = function() end
  end)

  after_each(function()
    clock.use(usual)
    log.sink = sink
    package.loaded["sprylua.redis.outbox"] = nil
  end)

  local serial = 0

  local function put(...)
    for _, text in ipairs { ... } do
      serial = serial + 1
      outbox.put("me", tostring(serial), "topic", "", text, "")
    end
  end

  -- The texts that were sent, those of before taken.
  local function texts()
    local list = {}
    for i, message in ipairs(sent) do list[i] = message.text end
    return table.concat(list, " ")
  end

  local function answer_all(kind, value)
    local list = sent
    sent = {}
    for _, message in ipairs(list) do message.answer(kind, value) end
  end

  it("sends at once, and is empty when all is confirmed", function()
    assert.is_true(outbox.is_empty())
    put("a", "b")
    assert.equal("a b", texts())
    assert.is_false(outbox.is_empty())
    answer_all "nil"
    assert.is_true(outbox.is_empty())
  end)

  it("says which one has to be there before", function()
    put("a", "b")
    assert.equal("", sent[1].behind)
    assert.equal(tostring(serial - 1), sent[2].behind)
    answer_all "nil"
    put "c"
    assert.equal("", sent[1].behind)
  end)

  it("keeps what is published while Redis is away, and sends it in order", function()
    hub.up = false
    put("a", "b")
    assert.equal("", texts())
    hub.up = true
    outbox.resume()
    assert.equal("a b", texts())
  end)

  it("sends what was lost again, before what is new", function()
    put("a", "b")
    hub.up = false
    answer_all "lost"
    put "c"
    hub.up = true
    outbox.resume()
    assert.equal("a b c", texts())
  end)

  it("goes on in order when the connection takes no more for now", function()
    hub.room = 2
    put("a", "b", "c", "d")
    assert.equal("a b", texts())
    answer_all "nil"
    manual:advance(1)
    assert.equal("c d", texts())
  end)

  for _, problem in ipairs {
    "OOM command not allowed when used memory > 'maxmemory'.", "TRYAGAIN the message before it is missing",
    "ERR Error running script (call to f_1): @user_script:6: @user_script: 6: -OOM command not allowed",
  } do
    it(("waits for better times after %q"):format(problem:sub(1, 30)), function()
      put("a", "b")
      answer_all("error", problem)
      put "c"
      assert.equal("", texts())
      manual:advance(1)
      assert.equal("a b c", texts())
      answer_all "nil"
      assert.is_true(outbox.is_empty())
    end)
  end

  it("has another connection made to what takes no writes", function()
    put "a"
    answer_all("error", "READONLY You can't write against a read only replica.")
    assert.matches("READONLY", hub.renewed)
    outbox.resume()
    assert.equal("a", texts())
  end)

  it("gives up what Redis refuses for good", function()
    put("a", "b")
    sent[1].answer("error", "WRONGTYPE Operation against a key holding the wrong kind of value")
    sent[2].answer "nil"
    assert.is_true(outbox.is_empty())
  end)

  it("keeps a thousand messages while Redis is away, the newest", function()
    hub.up = false
    for i = 1, 1003 do put(tostring(i)) end
    hub.up = true
    outbox.resume()
    assert.equal(1000, #sent)
    assert.equal("4", sent[1].text)
    assert.equal("1003", sent[1000].text)
  end)

  -- Publishes 1 to `last` when a message was sent that has no answer yet, and only the connection that listens is away.
  local function put_behind(last)
    put "sent"
    hub.up = false
    for i = 1, last do put(tostring(i)) end
  end

  it("counts those that wait, and drops none that was sent", function()
    put("a", "b", "c")
    put_behind(1003)
    local before = sent
    sent = {}
    hub.up = true
    outbox.resume()
    assert.equal(1000, #sent)
    assert.equal("4", sent[1].text)
    assert.equal("1003", sent[1000].text)
    for _, message in ipairs(before) do message.answer "nil" end
    assert.is_false(outbox.is_empty())
    answer_all "nil"
    assert.is_true(outbox.is_empty())
  end)

  it("drops no more than it must when what was sent is lost", function()
    for i = 1, 998 do put(tostring(i)) end
    hub.up = false
    answer_all "lost"
    put("new 1", "new 2", "new 3")
    hub.up = true
    outbox.resume()
    assert.equal(1000, #sent)
    assert.equal("2", sent[1].text)
    assert.equal("new 3", sent[1000].text)
  end)

  it("takes no longer for a message the more of them were dropped", function()
    put_behind(1000)
    local function instructions()
      local count = 0
      debug.sethook(function() count = count + 1 end, "", 100)
      for i = 1, 500 do put(tostring(i)) end
      debug.sethook()
      return count
    end
    local first = instructions()
    assert.is_true(first > 0)
    for _ = 1, 6 do instructions() end
    assert.is_true(instructions() < 2 * first)
  end)

  it("holds on to no text that was dropped", function()
    put "sent"
    hub.room = 1
    local text = ("x"):rep(50 << 20)
    collectgarbage()
    local before = collectgarbage "count"
    for i = 1, 12 do put(i .. text) end
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 300 << 10)
  end)

  it("keeps no more bytes than it may", function()
    hub.room = 0
    local text = ("x"):rep(50 << 20)
    for i = 1, 7 do put(i .. text) end
    hub.room = math.huge
    outbox.resume()
    assert.equal(5, #sent)
    assert.equal("3", sent[1].text:sub(1, 1))
  end)
end)
