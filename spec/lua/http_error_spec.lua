local http_error = require "sprylua.http_error"
local json = require "sprylua.json"

local HTTPError = http_error.HTTPError

describe("HTTPError", function()
  it("becomes the response that it describes", function()
    local err = HTTPError(401, { body = { error = "Unauthorized" }, headers = { ["WWW-Authenticate"] = "Bearer" } })
    local res = err:response()
    assert.equal(401, res.status)
    assert.same({ error = "Unauthorized" }, json.decode(res.body))
    assert.equal("Bearer", res.headers:get "www-authenticate")
    assert.equal("application/json", res.headers:get "content-type")
  end)

  it("has a text as body, or its message, or what the status means", function()
    assert.equal("no", HTTPError(403, { body = "no" }):response().body)
    assert.equal("no", HTTPError(403, { body = "no" }).message)
    assert.equal("why", HTTPError(403, { message = "why" }):response().body)
    assert.equal("Forbidden", HTTPError(403):response().body)
    assert.equal("text/plain; charset=utf-8", HTTPError(403):response().headers:get "content-type")
    assert.equal("body", HTTPError(403, { body = "body", message = "for the log" }):response().body)
  end)

  it("keeps its author's content-type", function()
    local err = HTTPError(400, { body = "<p>", headers = { ["content-type"] = "text/html" } })
    assert.same({ "text/html" }, err:response().headers:getAll "content-type")
  end)

  it("reads as a sentence", function()
    assert.equal("HTTP 404: Not Found", tostring(http_error.NotFoundError()))
    assert.equal("HTTP 404: no such user", tostring(http_error.NotFoundError "no such user"))
  end)

  it("is its own cause, without being a circle", function()
    local err = HTTPError(400)
    assert.equal(err, err.cause)
    assert.is_nil(rawget(err, "cause"))
  end)

  it("has the two that everybody needs", function()
    assert.equal(404, http_error.NotFoundError().status)
    local err = http_error.MethodNotAllowedError { "GET", "HEAD" }
    assert.equal(405, err.status)
    assert.equal("GET, HEAD", err.headers:get "allow")
    assert.equal("GET", http_error.MethodNotAllowedError("GET").headers:get "allow")
    assert.is_true(http_error.is(err))
    assert.is_false(http_error.is { status = 404 })
  end)

  it("refuses nonsense, at the caller's line", function()
    for _, arguments in ipairs {
      { 200 }, { 399 }, { 600 }, { "404" }, { 404, "text" }, { 404, { status = 1 } }, { 404, { body = 1 } },
      { 404, { headers = { a = "\r\n" } } },
    } do
      local ok, message = pcall(function()
        return { HTTPError(arguments[1], arguments[2]) }
      end)
      assert.is_false(ok)
      assert.matches("http_error_spec.lua:%d+:", message)
    end
  end)
end)
