local notice = require "sprylua.notice"
local testing = require "sprylua.testing"

local TEXT = "routes/<a>.lua:2: boom & bust\n     1 | one\n>    2 | <two>\n     3 | three"

describe("a notice", function()
  after_each(testing.reset)

  local function answer(accept)
    local event = testing.event { headers = { accept = accept } }
    return notice.answer(event, "It does not <load>.", TEXT)
  end

  it("is a page for browsers, which loads itself again", function()
    local made = answer "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert.equal(500, made.status)
    assert.equal("text/html; charset=utf-8", made.headers:get "content-type")
    assert.truthy(made.body:find('<meta http-equiv="refresh" content="1">', 1, true))
    assert.truthy(made.body:find("<title>It does not &lt;load&gt;.</title>", 1, true))
    assert.truthy(made.body:find("routes/&lt;a&gt;.lua:2: boom &amp; bust\n     1 | one\n", 1, true))
    assert.truthy(made.body:find("\n<mark>&gt;    2 | &lt;two&gt;</mark>\n     3 | three</pre>", 1, true))
    assert.is_nil(made.body:find "TEXT")
    assert.is_nil(made.body:find "TITLE")
  end)

  it("is JSON for programs that ask for it", function()
    for _, accept in ipairs { "application/json", "text/html;q=0.5, application/json", "application/json;q=0.1" } do
      local made = answer(accept)
      assert.equal(500, made.status)
      assert.matches("^application/json", made.headers:get "content-type")
      assert.same({ error = "It does not <load>.", message = TEXT }, require("sprylua.json").decode(made.body))
    end
  end)

  it("is plain text for others", function()
    for _, accept in ipairs { "*/*", "", "image/png", "text/html;q=0", "text/html;q=x" } do
      local made = answer(accept)
      assert.equal(500, made.status)
      assert.matches("^text/plain", made.headers:get "content-type")
      assert.equal("It does not <load>.\n\n" .. TEXT, made.body)
    end
  end)

  it("is never kept, by whoever", function()
    local made = answer "text/html"
    assert.equal("no-store", made.headers:get "cache-control")
    assert.equal("Accept", made.headers:get "vary")
  end)

  it("shows text that looks like a pattern as it is", function()
    local made = notice.answer(testing.event { headers = { accept = "text/html" } }, "A 100% TEXT", "%1 %0 TITLE")
    assert.truthy(made.body:find("<h1>A 100% TEXT</h1>\n<pre>%1 %0 TITLE</pre>", 1, true))
  end)
end)
