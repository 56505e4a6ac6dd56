local failure = require "sprylua.failure"
local http_error = require "sprylua.http_error"
local log = require "sprylua.log"

describe("failure", function()
  it("describes whatever was raised", function()
    for _, case in ipairs {
      { "a string", "a string" }, { nil, "error%(nil%)" }, { 7, "^7$" }, { false, "false" }, { {}, "^a table" },
      { io.stdout, "^file" },
      { setmetatable({}, { __tostring = function() error "no" end }), "an error that is a table" },
      { setmetatable({}, { __tostring = function() return "mine" end }), "^mine$" },
    } do
      local err = failure.describe(case[1], "traceback")
      assert.equal(500, err.status)
      assert.matches(case[2], err.message)
      assert.equal("traceback", err.traceback)
      assert.equal(case[1], err.cause)
      assert.equal(err.message, tostring(err))
    end
  end)

  it("leaves an HTTPError what it is", function()
    local cause = http_error.NotFoundError "gone"
    local err = failure.describe(cause, "traceback")
    assert.equal(cause, err)
    assert.equal(404, err.status)
    assert.equal("gone", err.message)
    assert.equal("traceback", err.traceback)
    assert.equal("", failure.describe(cause, nil).traceback)
  end)

  it("knows again what it has described", function()
    local err = failure.describe "x"
    assert.equal(err, failure.describe(err, "elsewhere"))
  end)

  it("captures an error with where it was raised", function()
    local ok, raised = xpcall(function() error(nil) end, failure.capture)
    assert.is_false(ok)
    assert.is_nil(raised.cause)
    assert.matches("^stack traceback:\n.*failure_spec.lua", raised.traceback)
    ok, raised = xpcall(function() error(http_error.NotFoundError()) end, failure.capture)
    assert.is_false(ok)
    assert.equal("", raised.traceback)
  end)

  it("takes what Lua itself hands back instead of a capture", function()
    local event = { method = "GET", path = "/x", pathname = "/x" }
    local answer
    local lines = log.capture(function()
      answer = failure.respond(event, "not enough memory", {}, { hooks = {} })
    end)
    assert.equal(503, answer.status)
    assert.matches("GET /x: not enough memory", lines[1])
  end)

  it("writes no control bytes of others to the log", function()
    local lines = log.capture(function()
      failure.report({ hooks = {} }, failure.describe("a\27[31m\nforged line", ""), "GET /\r\nx")
    end)
    assert.equal(1, #lines)
    assert.is_nil(lines[1]:find "[\27\r\n]")
  end)
end)
