-- The native module can be required afresh (busted insulates each file): one state, one set of classes.
local testing = require "sprylua.testing"
local temp_routes = require "spec.support.temp_routes"

describe("the native module", function()
  it("may be required again", function()
    local before = package.loaded["sprylua.core"]
    package.loaded["sprylua.core"] = nil
    local again = require "sprylua.core"
    package.loaded["sprylua.core"] = before
    assert.is_table(again)
    assert.is_function(again.connect)
    assert.same(before.stats(), again.stats())
    local app <close> = temp_routes.app { ["index.lua"] = function() return "x" end }
    local peer = again.connect(app.core)
    peer:feed "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert.matches("^HTTP/1.1 200", peer:take())
    peer:hangup()
    testing.reset()
  end)
end)
