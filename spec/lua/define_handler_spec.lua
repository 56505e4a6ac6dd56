local define_handler = require "sprylua.define_handler"

describe("defineHandler", function()
  local function handler() end

  it("marks what it is given", function()
    local definition = define_handler.defineHandler {
      handler = handler, middleware = { handler }, onError = handler, openapi = { summary = "x" },
    }
    assert.is_true(define_handler.is(definition))
    assert.equal(handler, definition.handler)
    assert.is_false(define_handler.is { handler = handler })
  end)

  it("refuses what it does not know, at the caller's line", function()
    for sentence, definition in pairs {
      ["needs a handler"] = {},
      ["not handlr"] = { handlr = handler, handler = handler },
      ["handler is a function"] = { handler = "x" },
      ["middleware is a table"] = { handler = handler, middleware = handler },
      ["middleware%[2%] is a function"] = { handler = handler, middleware = { handler, "x" } },
      ["onError is a function"] = { handler = handler, onError = {} },
      ["takes a table"] = handler,
    } do
      local ok, message = pcall(function()
        return { define_handler.defineHandler(definition) }
      end)
      assert.is_false(ok)
      assert.matches("define_handler_spec.lua:%d+: .*" .. sentence, message)
    end
  end)
end)
