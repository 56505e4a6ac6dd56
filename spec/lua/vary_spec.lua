local headers = require "sprylua.headers"
local vary = require "sprylua.vary"

describe("vary.add", function()
  local function added(...)
    local fields = headers.from { vary = { ... } }
    vary.add(fields, "Accept-Encoding")
    return fields:getAll "vary"
  end

  it("adds a name to those that are there", function()
    assert.same({ "Accept-Encoding" }, added())
    assert.same({ "Accept-Encoding" }, added "")
    assert.same({ "Cookie, Accept-Encoding" }, added "Cookie")
    assert.same({ "Cookie, Origin, Accept-Encoding" }, added("Cookie", "Origin"))
    assert.same({ "X-Accept-Encoding, Accept-Encoding" }, added "X-Accept-Encoding")
  end)

  it("adds nothing twice, and nothing to a star", function()
    assert.same({ "accept-encoding" }, added "accept-encoding")
    assert.same({ "Cookie,ACCEPT-ENCODING" }, added "Cookie,ACCEPT-ENCODING")
    assert.same({ "Cookie", "Accept-Encoding" }, added("Cookie", "Accept-Encoding"))
    assert.same({ "*" }, added "*")
  end)
end)
