-- The address of a Redis server.

local url = require "sprylua.redis.url"

local function problem(text)
  local address, message = url.parse(text)
  assert.is_nil(address)
  return message
end

describe("the address of Redis", function()
  it("has defaults for all but the host", function()
    assert.same({ host = "127.0.0.1", port = 6379, db = 0 }, url.parse "redis://127.0.0.1")
    assert.same({ host = "cache.example", port = 7000, db = 3 }, url.parse "redis://cache.example:7000/3")
    assert.same({ host = "localhost", port = 6379, db = 0 }, url.parse "redis://localhost:/")
    assert.same({ host = "::1", port = 6380, db = 0 }, url.parse "redis://[::1]:6380")
  end)

  it("asks for TLS with rediss://", function()
    assert.same({ host = "cache.example", port = 6379, db = 2, tls = true }, url.parse "rediss://cache.example/2")
    assert.same({ host = "h", port = 7, db = 0, tls = true, password = "x" }, url.parse "rediss://:x@h:7")
    assert.is_nil(url.parse("redis://h").tls)
    assert.is_true(url.parse("REDISS://h").tls)
    assert.matches("must begin with redis://, or rediss:// for TLS", problem "redisss://host")
  end)

  it("may have a user and a password, percent-encoded", function()
    local address = url.parse "redis://ann:p%40ss%3a%2f@host:1/2"
    assert.same({ host = "host", port = 1, db = 2, user = "ann", password = "p@ss:/" }, address)
    assert.same({ host = "host", port = 6379, db = 0, password = "a@b" }, url.parse "redis://:a@b@host")
  end)

  it("is refused with a sentence", function()
    assert.matches("must begin with redis://", problem "http://host")
    for _, text in ipairs { "", "host", "127.0.0.1:6379", 5, true, {} } do
      assert.matches("must be an address such as redis://127.0.0.1:6379/0", problem(text))
    end
    for _, text in ipairs { "redis://", "redis:///1", "redis://a b", "redis://[::1", "redis://[]", "redis://a:b:c" } do
      assert.matches("has no host", problem(text))
    end
    for _, secret in ipairs { ":p%zz", ":%", ":a%4", "u%ser:x", ":%%4040" } do
      assert.matches("has a %% in its user or password that begins no escape", problem("redis://" .. secret .. "@h"))
    end
    assert.equal("%40", url.parse("redis://:%2540@h").password)
    for _, text in ipairs { "redis://h:0", "redis://h:65536", "redis://h:9999999999" } do
      assert.matches("has a port that is no number", problem(text))
    end
    for _, text in ipairs { "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h/99999999999999999999" } do
      assert.matches("ends with the number of a database", problem(text))
    end
  end)

  it("tells nobody what is secret in it", function()
    local shown = {
      "redis://secret@host", "redis://secret:@host", "redis://:secret@", "redis://:secret@h:x", "redis://:secret%@h",
    }
    for _, text in ipairs(shown) do
      assert.is_nil(problem(text):find "secret")
    end
  end)
end)
