local format = require("sprylua.sse").format

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
end)
