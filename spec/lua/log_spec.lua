local log = require "sprylua.log"

describe("log", function()
  before_each(function() log.setup { access = "text", colour = false, colourMessages = false } end)
  after_each(function() log.setup { access = "none" } end)

  local record = {
    method = "GET", path = "/a?b=c", status = 200, seconds = 0.00125, bytes = 12, remoteAddress = "127.0.0.1", id = "7",
  }

  local function with(changes)
    local copy = {}
    for k, v in pairs(record) do copy[k] = v end
    for k, v in pairs(changes) do copy[k] = v end
    return copy
  end

  local function access(changes)
    local lines = log.capture(function() log.access(with(changes)) end)
    assert.is_true(#lines <= 1)
    return lines[1]
  end

  describe("messages", function()
    it("have a time and a level before them", function()
      local lines = log.capture(function()
        log.error "one"
        log.warn "two"
        log.info "three"
      end)
      assert.equal(3, #lines)
      for i, tail in ipairs { "error: one", "warn: two", "info: three" } do
        assert.truthy(lines[i]:find("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d " .. tail .. "$"), lines[i])
      end
    end)

    it("take any value", function()
      local lines = log.capture(function()
        log.error(nil)
        log.error(setmetatable({}, { __tostring = function() return "an object" end }))
      end)
      assert.truthy(lines[1]:find "error: nil$")
      assert.truthy(lines[2]:find "error: an object$")
    end)
  end)

  describe("escape", function()
    it("leaves text alone", function()
      assert.equal("/a b/ü/日本?x=\\", log.escape "/a b/ü/日本?x=\\")
    end)

    it("shows control bytes, those beyond ASCII too", function()
      assert.equal("\\x1b[31m\\r\\n\\t\\x00\\x7f", log.escape "\27[31m\r\n\t\0\127")
      assert.equal("\\u009b31m", log.escape "\u{9b}31m")
    end)

    it("shows bytes that are no UTF-8", function()
      assert.equal("\\xff\\xc3", log.escape "\xff\xc3")
    end)
  end)

  describe("access", function()
    it("is a line of text", function()
      assert.truthy(access({}):find "^%d%d:%d%d:%d%d 200 GET /a%?b=c 1%.%dms 12 127%.0%.0%.1$")
      assert.truthy(access({ seconds = 2.5 }):find " 2.50s ")
    end)

    it("says why a request was refused before any route", function()
      local line = log.capture(function()
        log.access { status = 431, reason = "headers\nare too large", remoteAddress = "::1" }
      end)[1]
      assert.truthy(line:find("431 - - 0.0ms 0 ::1 (headers\\nare too large)", 1, true), line)
    end)

    it("cannot be forged by a path", function()
      local line = access { path = "/\n12:00:00 200 GET /\27[2J" }
      assert.is_nil(line:find "%c")
    end)

    it("is coloured only when that is asked for", function()
      log.setup { colour = true }
      assert.truthy(access({ status = 200 }):find("\27[32m200\27[0m", 1, true))
      assert.truthy(access({ status = 404 }):find("\27[33m404\27[0m", 1, true))
      assert.truthy(access({ status = 500 }):find("\27[31m500\27[0m", 1, true))
    end)

    it("is a JSON object", function()
      log.setup { access = "json", colour = true }
      local line = access { path = '/"\\\n\xff' }
      assert.truthy(line:find '^{"time":"%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ",')
      assert.truthy(line:find(
        '"method":"GET","path":"/\\u0022\\u005c\\u000a\u{fffd}","status":200,"seconds":0.001250,"bytes":12,'
        .. '"remoteAddress":"127.0.0.1","id":"7"}', 1, true), line)
    end)

    it("can be silent", function()
      log.setup { access = "none" }
      assert.is_nil(access {})
    end)
  end)

  it("shows durations in what suits them", function()
    assert.equal("0.0ms", log.duration(0))
    assert.equal("12.3ms", log.duration(0.0123))
    assert.equal("1.50s", log.duration(1.5))
  end)

  it("refuses a format it does not have", function()
    assert.has_error(function() log.setup { access = "xml" } end, "the access log is text, json or none, not xml")
  end)

  describe("capture", function()
    it("gives the lines back, and the sink to who had it", function()
      local before = log.sink
      assert.equal(1, #log.capture(function() log.info "x" end))
      assert.equal(before, log.sink)
    end)

    it("passes an error on", function()
      local before = log.sink
      assert.has_error(function() log.capture(function() error({ "mine" }) end) end, { "mine" })
      assert.equal(before, log.sink)
    end)
  end)
end)
