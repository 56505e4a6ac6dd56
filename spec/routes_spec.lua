-- The default app: what a newcomer serves first. Its room, notifications and hybrid endpoint are tried together with
-- the examples of the same names (spec/examples).
local testing = require "sprylua.testing"

describe("the default app", function()
  local app = testing.app "routes"

  it("has a page at / that talks to the room", function()
    local res = app:get "/"
    assert.equal(200, res.status)
    assert.matches("^text/html; charset=utf%-8$", res.headers:get "content-type")
    assert.matches("^%s*<!DOCTYPE html>", res.body)
    assert.matches('"/room"', res.body, 1, true)
    assert.matches("prefers-color-scheme: dark", res.body, 1, true)
    assert.is_nil(res.body:find "%$%l") -- every placeholder was filled in
    assert.equal("", app:head("/").body)
  end)

  it("links only to what is there", function()
    for path in app:get("/").body:gmatch 'href="(/[^"]*)"' do
      local status = app:get(path).status
      assert.is_true(status == 200 or (path == "/admin" and status == 401), path .. " is " .. status)
    end
  end)

  it("echoes at /chat, as the tutorial's first route", function()
    local body = app:get("/chat", { headers = { host = "example.org:4000" } }):json()
    assert.equal("This endpoint supports WebSocket connections", body.message)
    assert.equal("Use a WebSocket client to connect to ws://example.org:4000/chat", body.hint)
    local ws = app:ws("/chat", { protocols = { "chat" } })
    assert.equal("Connected to Spry WebSocket server!", ws:receive())
    ws:sendText "hi"
    assert.equal("Echo: hi", ws:receive())
    ws:sendBinary "hi"
    assert.equal("[Binary data received]", ws:receive())
    ws:close(1000)
    assert.equal(1000, ws.closeCode)
  end)

  it("tells about itself", function()
    local about = app:get("/about"):json()
    assert.equal("sprylua", about.name)
    assert.equal("sprylua", about.runtime)
    assert.equal(405, app:post("/about").status)
  end)

  it("keeps /admin for those with the token", function()
    local res = app:get "/admin"
    assert.equal(401, res.status)
    assert.same({ error = "Unauthorized" }, res:json())
    assert.matches("Bearer", res.headers:get "www-authenticate")
    res = app:get("/admin", { headers = { authorization = "Bearer secret-token" } })
    assert.equal(200, res.status)
    assert.equal("GET", res:json().method)
  end)

  it("puts a request id on every answer", function()
    local seen = {}
    for _, path in ipairs { "/", "/nowhere", "/admin", "/chat" } do
      local id = app:get(path).headers:get "x-request-id"
      assert.is_string(id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
    assert.is_string(app:ws("/chat").response.headers:get "x-request-id")
    local function with(id) return app:get("/", { headers = { ["x-request-id"] = id } }).headers:get "x-request-id" end
    assert.equal("abc-123", with "abc-123")
    assert.is_not.equal("a b", with "a b")
    assert.is_not.equal(("x"):rep(65), with(("x"):rep(65)))
  end)

  it("has an error page for people, and plain words for programs", function()
    local page = app:get("/<nowhere>", { headers = { accept = "text/html,*/*" } })
    assert.equal(404, page.status)
    assert.matches("^text/html", page.headers:get "content-type")
    assert.matches("<h1>404</h1>", page.body, 1, true)
    assert.is_nil(page.body:find("<nowhere>", 1, true))
    local plain = app:get "/nowhere"
    assert.equal(404, plain.status)
    assert.is_nil(plain.body:find("<", 1, true))
    assert.equal("Bearer realm=\"admin\"",
      app:get("/admin", { headers = { accept = "text/html" } }).headers:get "www-authenticate")
  end)

  it("says 426 to who asks for a WebSocket in the wrong way", function()
    local ws, res = app:ws("/chat", { headers = { ["sec-websocket-version"] = "8" } })
    assert.is_nil(ws)
    assert.equal(426, res.status)
    assert.equal("13", res.headers:get "sec-websocket-version")
  end)
end)
