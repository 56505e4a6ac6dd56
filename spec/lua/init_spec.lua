local spry = require "sprylua"

describe("sprylua", function()
  it("has the public names", function()
    for _, name in ipairs {
      "HTTPError", "NotFoundError", "MethodNotAllowedError", "defineHandler", "sleep", "every", "after", "spawn",
      "defer", "render",
    } do
      assert.is_function(spry[name])
    end
    for _, name in ipairs { "text", "html", "json", "redirect", "file", "stream", "events", "empty" } do
      assert.is_function(spry.Response[name])
    end
    assert.equal("x", spry.Response("x").body)
    assert.equal('{"a":1}', spry.json.encode { a = 1 })
  end)

  it("says so when there is no such name", function()
    assert.error_matches(function() return spry.Respnse end, "sprylua has no name Respnse")
  end)
end)
