local temp_routes = require "spec.support.temp_routes"

describe("event", function()
  local seen
  local app

  before_each(function()
    app = temp_routes.app { ["[...path].lua"] = function(event)
      seen(event)
      return ""
    end }
  end)

  after_each(function()
    app:close()
  end)

  local function look(path, fn, opts)
    local result
    seen = function(event)
      result = table.pack(fn(event))
    end
    local res = app:get(path, opts)
    assert.equal(200, res.status, app.log[1])
    return table.unpack(result, 1, result.n)
  end

  it("has a url in parts and whole", function()
    local path, query, host, scheme, whole, line = look("/a%20b/c%2Fd/%C3%A9?x=1&y", function(event)
      local url = event.url
      return url.path, url.query, url.host, url.scheme, tostring(url), "<" .. url .. ">"
    end, { headers = { host = "example.org" } })
    assert.same({ "/a b/c%2Fd/é", "x=1&y", "example.org", "http" }, { path, query, host, scheme })
    assert.equal("http://example.org/a%20b/c%2Fd/%C3%A9?x=1&y", whole)
    assert.equal("<" .. whole .. ">", line)
    assert.is_nil((look("/", function(event) return event.url.query end)))
  end)

  it("has the same path everywhere, resolved once", function()
    local pathname, path, url = look("//x/../%61dmin/./?a", function(event)
      return event.pathname, event.path, event.url.path
    end)
    assert.same({ "/admin", "/admin?a", "/admin" }, { pathname, path, url })
  end)

  it("has headers by name, all of them, and in order", function()
    local one, joined, list, none, has, order = look("/", function(event)
      local names = {}
      for name, value in pairs(event.headers) do
        if name:find "^x%-" then
          names[#names + 1] = name .. "=" .. value
        end
      end
      local h = event.headers
      return h:get "X-One", h:get "x-two", h:getAll "X-TWO", h:get "x-none", h:has "x-one", names
    end, { headers = { ["X-One"] = "1", ["X-Two"] = { "a", "b" } } })
    assert.equal("1", one)
    assert.equal("a, b", joined)
    assert.same({ "a", "b" }, list)
    assert.is_nil(none)
    assert.is_true(has)
    table.sort(order)
    assert.same({ "x-one=1", "x-two=a", "x-two=b" }, order)
  end)

  it("tells who indexes headers, query or cookies what to write", function()
    for name, sentence in pairs {
      headers = "event.headers:get%(\"accept\"%)", query = ":get%(\"accept\"%)",
      cookies = "event.cookies:get%(\"accept\"%)",
    } do
      local ok, message = look("/", function(event)
        return pcall(function() return event[name].accept end)
      end)
      assert.is_false(ok)
      assert.matches(sentence, message)
    end
  end)

  it("makes each of its parts once", function()
    assert.is_true(look("/x?a=1", function(event)
      return event.query == event.query and event.params == event.params and event.url == event.url
        and event.cookies == event.cookies and event.locals == event.locals
    end))
  end)

  it("has an id of eight hexadecimal digits and a number", function()
    local id, again = look("/", function(event) return event.id, event.id end)
    assert.matches("^%x%x%x%x%x%x%x%x%-[1-9]%d*$", id)
    assert.equal(id, again)
    assert.are_not.equal(id, (look("/", function(event) return event.id end)))
  end)

  it("tells who calls headers with no name", function()
    local ok, message = look("/", function(event)
      return pcall(function() return event.headers:get(nil), 1 end)
    end)
    assert.is_false(ok)
    assert.matches("event_spec.lua:%d+: bad argument #1 to 'get'", message)
    ok, message = look("/", function(event)
      return pcall(function() return event.headers.get("accept"), 1 end)
    end)
    assert.is_false(ok)
    assert.matches("methods are called with a colon", message)
  end)

  it("knows where it runs", function()
    assert.same({ "sprylua", 1 }, { look("/", function(event)
      return event.context.runtime.name, event.context.worker
    end) })
  end)

  it("dies with its request, whatever was taken from it", function()
    local kept = {}
    look("/x", function(event)
      kept = { event = event, url = event.url }
      kept.headers, kept.request, kept.cookies = event.headers, event.request, event.cookies
    end)
    for _, use in ipairs {
      function() return kept.event.query end,
      function() return kept.event.headers end,
      function() return kept.headers:get "host" end,
      function() return kept.request:text() end,
      function() return kept.cookies:get "a" end,
      function() return kept.cookies:set("a", "1") end,
    } do
      assert.error_matches(use, "over")
    end
    assert.equal("/x", kept.url.path)
  end)
end)
