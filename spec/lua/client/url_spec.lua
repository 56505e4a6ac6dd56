local url = require "sprylua.client.url"

describe("the address of a WebSocket", function()
  for text, expected in pairs {
    ["ws://localhost"] = { "localhost", 80, "localhost", "/" },
    ["WS://Example.org:80/"] = { "Example.org", 80, "Example.org", "/" },
    ["ws://example.org:/a"] = { "example.org", 80, "example.org", "/a" },
    ["ws://127.0.0.1:3000/chat?room=1&x=%20"] = { "127.0.0.1", 3000, "127.0.0.1:3000", "/chat?room=1&x=%20" },
    ["ws://[::1]:65535/x"] = { "::1", 65535, "[::1]:65535", "/x" },
    ["ws://[::ffff:127.0.0.1]"] = { "::ffff:127.0.0.1", 80, "[::ffff:127.0.0.1]", "/" },
    ["ws://host?query"] = { "host", 80, "host", "/?query" },
    ["ws://host:1//"] = { "host", 1, "host:1", "//" },
  } do
    it(("is taken apart: %s"):format(text), function()
      local target = assert(url.parse(text))
      assert.same(expected, { target.host, target.port, target.authority, target.path })
    end)
  end

  for text, message in pairs {
    ["wss://example.org/"] = "TLS, which is not there yet",
    ["http://example.org/"] = "looks like ws://",
    ["example.org"] = "looks like ws://",
    [""] = "looks like ws://",
    ["ws:/host"] = "looks like ws://",
    ["ws://"] = "no host",
    ["ws:///path"] = "no host",
    ["ws://:80/"] = "no host",
    ["ws://[::1/"] = "no host",
    ["ws://::1/"] = "no host",
    ["ws://[fe80::1%25eth0]/"] = "no host",
    ["ws://fe80::1/"] = "no host",
    ["ws://[::1]x:80/"] = "no host",
    ["ws://host:80x/"] = "port of the address is a number from 1 to 65535",
    ["ws://127.0.0.1:4000a/"] = "port of the address is a number from 1 to 65535",
    ["ws://[::1]:-1/"] = "port of the address is a number from 1 to 65535",
    ["ws://host:0x50/"] = "port of the address is a number from 1 to 65535",
    ["ws://host: 80/"] = "port of the address is a number from 1 to 65535",
    ["ws://ho st/"] = "no host",
    ["ws://host\r\nX-A: b/"] = "no host",
    ["ws://host:0/"] = "from 1 to 65535",
    ["ws://host:65536/"] = "from 1 to 65535",
    ["ws://host:99999999999999999999/"] = "from 1 to 65535",
    ["ws://user:secret@host/"] = "header Authorization",
    ["ws://host/#top"] = "no fragment",
    ["ws://host/a b"] = "percent-encoded",
    ["ws://host/a\r\nX-A: b"] = "percent-encoded",
    ["ws://host/ü"] = "percent-encoded",
  } do
    it(("is refused with a sentence: %q"):format(text), function()
      local target, problem = url.parse(text)
      assert.is_nil(target)
      assert.truthy(problem:find(message, 1, true), problem)
    end)
  end
end)
