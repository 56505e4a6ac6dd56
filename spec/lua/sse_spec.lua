local clock = require "sprylua.clock"
local sse = require "sprylua.sse"
local tasks = require "sprylua.tasks"

local format = sse.format

describe("sse", function()
  it("writes data lines", function()
    assert.equal("data: a\n\n", format "a")
    assert.equal("data: a\ndata: b\ndata: c\ndata: \n\n", format "a\nb\r\nc\r")
    assert.equal("data: \n\n", format "")
    assert.equal("data: 5\n\n", format(5))
  end)

  it("writes the other fields before the data", function()
    assert.equal("event: e\nid: 1\nretry: 500\ndata: x\n\n", format { data = "x", retry = 500, id = 1, event = "e" })
    assert.equal("retry: 10\n\n", format { retry = 10 })
  end)

  it("lets nothing slip into another field", function()
    for _, message in ipairs {
      { event = "a\ndata: b" }, { id = "1\r2" }, { id = "\0" }, { retry = "5" }, { retry = -1 }, { retry = 1.5 },
      { data = {} }, { datum = "x" }, { event = {} },
    } do
      assert.has_error(function() format(message) end)
    end
    assert.has_error(function() format(nil) end)
    assert.has_error(function() format(true) end)
  end)

  it("says what is wrong, at the line that sends it", function()
    local function send(message) return (format(message)) end
    for problem, message in pairs {
      ["an event's data is a string, not a table; spry.json.encode makes one of a table"] = { data = {} },
      ["an event's data is a string, not a boolean; spry.json.encode makes one of a table"] = false,
      ["an event's id is a string, not a function"] = { id = print },
      ["an event's event has no line breaks or NULs in it"] = { event = "a\rb" },
      ["an event's retry is a whole number of milliseconds"] = { retry = 0.5 },
      ["an event's comment is a string, not a number"] = { comment = 1 },
      ["an event has event, id, retry, data and comment, not 1"] = { "x" },
    } do
      local ok, raised = pcall(function() send(message) end)
      assert.is_false(ok)
      assert.matches("^[^:]*sse_spec.lua:%d+: ", raised)
      assert.equal(problem, raised:match ": (.*)")
    end
  end)

  it("keeps every byte of the data but its line ends", function()
    assert.equal("data: \0\xff\xfe%1\n\n", format "\0\xff\xfe%1")
    assert.equal("data: \ndata: \ndata: \ndata: \n\n", format "\r\r\n\n")
    local long = ("x"):rep(100000)
    assert.equal(("data: %s\ndata: %s\n\n"):format(long, long), format(long .. "\n" .. long))
  end)

  it("writes comments, which browsers skip", function()
    assert.equal(":\n\n", format { comment = "" })
    assert.equal(": a\n: b\n: \ndata: 1\n\n", format { comment = "a\r\nb\r", data = "1" })
  end)

  it("takes numbers for text, and fields that a message inherits", function()
    assert.equal("event: 1.5\nid: -7\ndata: 0\n\n", format { event = 1.5, id = -7, data = 0 })
    for _, number in ipairs { math.mininteger, math.maxinteger, 10, -0.0, 1e100 } do
      assert.equal("data: " .. number .. "\n\n", format(number))
    end
    local kind = { __index = { event = "tick", data = "none" } }
    assert.equal("event: tick\ndata: x\n\n", format(setmetatable({ data = "x" }, kind)))
    assert.equal("\n", format {})
  end)
end)

describe("streams of events", function()
  local manual, before

  before_each(function()
    manual = clock.manual()
    before = clock.use(manual)
  end)

  after_each(function()
    clock.use(before)
  end)

  -- Opens a stream: the list of what it has written, and the task that it is.
  local function open(fn)
    local written = {}
    local task = tasks.spawn(sse.stream(fn), function(chunk)
      written[#written + 1] = chunk
      return true
    end)
    return written, task
  end

  it("are looked after by one timer, each by its own silence", function()
    local first = open(function() tasks.sleep(100) end)
    manual:advance(10)
    local second = open(function(send)
      tasks.sleep(10)
      send "a"
      tasks.sleep(100)
    end)
    manual:advance(6)
    assert.same({ ":\n\n" }, first)
    assert.same({}, second)
    manual:advance(8)
    assert.same({ "data: a\n\n" }, second)
    manual:advance(12)
    assert.same({ ":\n\n", ":\n\n" }, first)
    assert.same({ "data: a\n\n", ":\n\n" }, second)
    assert.equal(3, manual:pending()) -- the one, and their two sleeps
    manual:advance(200)
  end)

  it("get nothing more, and leave no timer, when they have ended", function()
    local ended = open(function(send) send "a" end)
    local cancelled, task = open(function() tasks.sleep(100) end)
    task:cancel()
    manual:advance(60)
    assert.same({ "data: a\n\n" }, ended)
    assert.same({}, cancelled)
    assert.equal(0, manual:pending())
  end)

  it("get no comment while a send waits for the client", function()
    local thread, written = nil, {}
    tasks.spawn(sse.stream(function(send) send "a" end), function(chunk)
      written[#written + 1] = chunk
      thread = coroutine.running()
      return coroutine.yield()
    end)
    manual:advance(60)
    assert.same({ "data: a\n\n" }, written)
    tasks.wake(thread)
  end)

  it("are looked after by the clock of the moment", function()
    local first = open(function() tasks.sleep(100) end)
    local other = clock.manual()
    clock.use(other)
    local second = open(function() tasks.sleep(100) end)
    other:advance(16)
    assert.same({ ":\n\n" }, second)
    manual:advance(40)
    assert.same({ ":\n\n" }, first) -- by the other clock's timer: there is never more than one
    assert.same({ ":\n\n" }, second)
    other:advance(200)
    manual:advance(200)
  end)
end)
