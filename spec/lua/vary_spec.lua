local headers = require "sprylua.headers"
local vary = require "sprylua.vary"

describe("vary", function()
  local function after(given, name)
    local fields = assert(headers.from { vary = given })
    vary.add(fields, name)
    return fields:getAll "vary"
  end

  it("is set, or added to", function()
    assert.same({ "Origin" }, after(nil, "Origin"))
    assert.same({ "Origin" }, after("", "Origin"))
    assert.same({ "Accept, Origin" }, after("Accept", "Origin"))
    assert.same({ "Accept, Cookie, Origin" }, after({ "Accept", "Cookie" }, "Origin"))
  end)

  it("names nothing twice", function()
    assert.same({ "Accept,origin" }, after("Accept,origin", "Origin"))
    assert.same({ "ORIGIN" }, after("ORIGIN", "origin"))
    assert.same({ "*" }, after("*", "Origin"))
    assert.same({ "X-Origin, Origin" }, after("X-Origin", "Origin"))
  end)
end)
