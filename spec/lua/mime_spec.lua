local mime = require "sprylua.mime"

describe("mime", function()
  it("knows what a web page is made of", function()
    assert.equal("text/html; charset=utf-8", mime.of "index.html")
    assert.equal("text/css; charset=utf-8", mime.of "a/b.min.css")
    assert.equal("text/javascript; charset=utf-8", mime.of "app.js")
    assert.equal("image/png", mime.of "LOGO.PNG")
    assert.equal("application/json", mime.of "x.json")
    assert.equal("application/wasm", mime.of "x.wasm")
  end)

  it("says bytes for the rest", function()
    assert.equal("application/octet-stream", mime.of "Makefile")
    assert.equal("application/octet-stream", mime.of "dir.d/file")
    assert.equal("application/octet-stream", mime.of "x.nosuchtype")
  end)

  it("reads the format of mime.types; the first word on an extension counts", function()
    local types = mime.parse [[
# a comment
text/x-a		a aa	# another
application/alone
text/x-b b  A
]]
    assert.same({ a = "text/x-a", aa = "text/x-a", b = "text/x-b" }, types)
  end)
end)
