local testing = require "sprylua.testing"

describe("examples/guestbook", function()
  local app = testing.app "examples/guestbook/routes"

  it("is an empty page with a form at first", function()
    local res = app:get "/"
    assert.equal(200, res.status)
    assert.equal("text/html; charset=utf-8", res.headers:get "content-type")
    assert.matches("<title>Guestbook</title>", res.body, 1, true)
    assert.matches('<form method="post" action="/">', res.body, 1, true)
    assert.matches("Nobody has written yet.", res.body, 1, true)
    assert.is_nil(res.body:find("alert", 1, true))
    assert.is_nil(res.body:find("<%", 1, true))
  end)

  it("redirects after a message, and shows it escaped", function()
    local res = app:post("/", { form = { name = "Ada & Bob", message = "<script>alert(1)</script>" } })
    assert.equal(303, res.status)
    assert.equal("/", res.headers:get "location")
    local page = app:get("/").body
    assert.matches("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", page, 1, true)
    assert.matches("Ada &amp; Bob, <time>", page, 1, true)
    assert.is_nil(page:find("Nobody has written", 1, true))
  end)

  it("shows the latest message first", function()
    app:post("/", { form = { message = "one" } })
    app:post("/", { form = { message = "two" } })
    local page = app:get("/").body
    assert.matches("<p>two</p>.*Anonymous.*<p>one</p>", page)
  end)

  it("asks again when there is no message, with the name kept", function()
    local res = app:post("/", { form = { name = '"><i>', message = " " } })
    assert.equal(422, res.status)
    assert.matches('<p role="alert">Please write a message.</p>', res.body, 1, true)
    assert.matches('value="&quot;&gt;&lt;i&gt;"', res.body, 1, true)
  end)

  it("keeps a hundred messages", function()
    for i = 1, 120 do app:post("/", { form = { message = "message " .. i } }) end
    local _, count = app:get("/").body:gsub("<article>", "")
    assert.equal(100, count)
  end)
end)
