-- What an interrupt does to one is in spec/socket/watchdog_spec.lua.
local message_handler = require "sprylua.message_handler"

describe("a guarded message handler", function()
  it("is called as it would be without", function()
    local traceback
    local function handler(cause)
      traceback = debug.traceback("", 2)
      return "handled " .. tostring(cause)
    end
    for cause, handled in pairs { this = "handled this", [false] = "handled false" } do
      local ok, result = xpcall(error, message_handler.guard(handler), cause, 0)
      assert.is_false(ok)
      assert.equal(handled, result)
      assert.matches("^\nstack traceback:\n\t%[C%]: in function 'error'\n", traceback)
    end
  end)

  it("may raise itself", function()
    local ok, problem = xpcall(error, message_handler.guard(error), "this", 0)
    assert.is_false(ok)
    assert.is_string(problem)
  end)

  it("is itself when it is our own", function()
    local handler = message_handler.own(function() end)
    assert.equal(handler, message_handler.guard(handler))
  end)
end)
