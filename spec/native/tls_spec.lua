-- sprylua.tls: a client's TLS with OpenSSL's server beside it, and no socket between them.

local certificates = require "spec.support.certificates"
local tls = require "sprylua.redis.tls"
local uv = require "luv"

local folder = os.getenv "SPRYLUA_BUILD" or "build"
local peers = assert(package.loadlib(folder .. "/spec/tls_peer.so", "luaopen_tls_peer"))()

local made

setup(function()
  made = certificates.new()
  made:make("good", "DNS:redis.example,IP:127.0.0.1,IP:::1")
  made:make("wildcard", "DNS:*.example.org")
  made:make("alone", "DNS:redis.example", { alone = true })
  made:make("old", "DNS:redis.example", { days = -1 })
end)

before_each(function()
  uv.os_setenv("SSL_CERT_FILE", made.authority)
  uv.os_setenv("SSL_CERT_DIR", made.folder .. "/nothing")
end)

after_each(function()
  uv.os_unsetenv "SSL_CERT_FILE"
  uv.os_unsetenv "SSL_CERT_DIR"
end)

teardown(function() made:cleanup() end)

local function server(name, newest, asks)
  return peers.server(("%s/%s.crt"):format(made.folder, name), ("%s/%s.key"):format(made.folder, name), newest, asks)
end

-- Carries bytes between both until nobody has more to say: what each got, and what ended the client.
local function converse(client, peer)
  local heard, told, problem, failed = {}, {}, nil, nil
  repeat
    local out = client:take()
    if out ~= "" then told[#told + 1], failed = peer:feed(out) end
    local back = peer:take()
    if back ~= "" and not problem then heard[#heard + 1], problem = client:feed(back) end
  until out == "" and back == "" or problem
  if problem then
    local _, reason = peer:feed(client:take())
    failed = failed or reason
  end
  return table.concat(heard), table.concat(told), problem, failed
end

local function connect(name, host, newest, asks)
  local client, peer = tls.client(host), server(name, newest, asks)
  local _, _, problem, failed = converse(client, peer)
  return client, peer, problem, failed
end

local function refused(name, host, newest)
  local client, _, problem = connect(name, host, newest)
  assert.is_false(client:ready())
  return problem
end

describe("a TLS session", function()
  for _, version in ipairs { "1.2", "1.3" } do
    it("carries what both say, over TLS " .. version, function()
      local client, peer, problem = connect("good", "redis.example", version)
      assert.is_nil(problem)
      assert.is_true(client:ready())
      assert.equal("redis.example", peer:name())
      local large = ("0123456789"):rep(30000)
      for _, text in ipairs { "x", "\0", large } do
        assert.is_nil(client:write(text))
        peer:write(text)
        local heard, told = converse(client, peer)
        assert.is_true(heard == text and told == text)
      end
      assert.is_nil(client:write "")
      assert.equal("", client:take())
    end)

    it("may be cut anywhere, over TLS " .. version, function()
      local client, peer, left = tls.client "redis.example", server("good", version), ""
      local heard, written = "", false
      for _ = 1, 20000 do
        peer:feed(client:take())
        left = left .. peer:take()
        if client:ready() and not written then
          written = true
          peer:write "hello"
          left = left .. peer:take()
        end
        if left == "" then break end
        local plain, problem = client:feed(left:sub(1, 1))
        assert.is_nil(problem)
        heard, left = heard .. plain, left:sub(2)
      end
      assert.equal("hello", heard)
    end)

    it("ends when the server says so, over TLS " .. version, function()
      local client, peer = connect("good", "redis.example", version)
      peer:write "last words"
      peer:close()
      local plain, problem = client:feed(peer:take())
      assert.same({ "last words", "the connection was closed" }, { plain, problem })
      assert.is_false(client:ready())
      assert.error_matches(function() client:feed "x" end, "over")
      assert.error_matches(function() client:write "x" end, "over")
    end)

    it("says goodbye, over TLS " .. version, function()
      local client, peer = connect("good", "redis.example", version)
      client:close()
      local _, reason = peer:feed(client:take())
      assert.equal("closed", reason)
      client:close()
      assert.equal("", client:take())
    end)

    it("believes nothing that was changed on the way, over TLS " .. version, function()
      local client, peer = connect("good", "redis.example", version)
      peer:write "hello"
      local bytes = peer:take()
      local plain, problem = client:feed(bytes:sub(1, -2) .. string.char(bytes:byte(-1) ~ 1))
      assert.equal("", plain)
      assert.matches("TLS has failed: .*bad record mac", problem)
    end)
  end

  it("does not renegotiate, and is not disturbed by being asked to", function()
    local client, peer = connect("good", "redis.example", "1.2")
    peer:renegotiate()
    local _, problem = client:feed(peer:take())
    assert.is_nil(problem)
    assert.is_true(client:ready())
  end)

  it("follows new keys", function()
    local client, peer = connect("good", "redis.example", "1.3")
    for _ = 1, 100 do
      assert.is_true(peer:updateKey())
      peer:write "x"
      assert.is_nil(client:write "y")
      local heard, told, problem = converse(client, peer)
      assert.same({ "x", "y" }, { heard, told, problem })
    end
  end)

  it("writes nothing before the server is known", function()
    local client = tls.client "redis.example"
    assert.error_matches(function() client:write "secret" end, "the handshake is not done")
    assert.is_nil(client:take():find "secret")
  end)

  it("may be closed or forgotten at any time", function()
    local client = tls.client "redis.example"
    client:close()
    assert.is_false(client:ready())
    for _ = 1, 100 do tls.client "redis.example" end
    collectgarbage()
  end)
end)

describe("the server's certificate", function()
  it("may be for a name or an address", function()
    for _, host in ipairs { "redis.example", "REDIS.example", "127.0.0.1", "::1" } do
      local client, peer, problem = connect("good", host)
      assert.is_nil(problem)
      assert.is_true(client:ready())
      assert.equal(not host:find "^[%d:]" and host or nil, peer:name())
    end
    assert.is_true((connect("wildcard", "a.example.org")):ready())
  end)

  it("has to be for this one", function()
    for _, host in ipairs { "redis.example.org", "example", "xredis.example", "127.0.0.1.example" } do
      assert.equal("its certificate is not trusted: hostname mismatch", refused("good", host))
    end
    assert.equal("its certificate is not trusted: hostname mismatch", refused("wildcard", "a.b.example.org"))
    assert.equal("its certificate is not trusted: IP address mismatch", refused("good", "127.0.0.2"))
    assert.equal("its certificate is not trusted: IP address mismatch", refused("wildcard", "::1"))
  end)

  it("has to be vouched for, and valid", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local alone, old = refused("alone", "redis.example", version), refused("old", "redis.example", version)
      assert.equal("its certificate is not trusted: self-signed certificate", alone)
      assert.equal("its certificate is not trusted: certificate has expired", old)
    end
    uv.os_setenv("SSL_CERT_FILE", made.folder .. "/nothing")
    assert.equal("its certificate is not trusted: unable to get local issuer certificate",
      refused("good", "redis.example"))
  end)

  it("is complained of to the server", function()
    local _, _, problem, reason = connect("alone", "redis.example", "1.2")
    assert.is_string(problem)
    assert.matches("alert", reason)
  end)
end)

describe("a peer without TLS as it should be", function()
  it("is told apart", function()
    for _, bytes in ipairs { "-ERR unknown command\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n" } do
      local plain, problem = tls.client("redis.example"):feed(bytes)
      assert.same({ "", "it does not speak TLS" }, { plain, problem })
    end
  end)

  it("is refused when it knows old versions only", function()
    assert.matches("TLS has failed: .*version", refused("good", "redis.example", "1.1"))
  end)

  it("says when it wants a certificate of ours", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local _, _, problem = connect("good", "redis.example", version, true)
      assert.matches("TLS has failed: .*", problem)
    end
  end)

  it("may send noise", function()
    math.randomseed(11)
    local first
    do
      local client, peer = tls.client "redis.example", server "good"
      peer:feed(client:take())
      first = peer:take()
    end
    for _ = 1, 300 do
      local at, client = math.random(#first), tls.client "redis.example"
      client:take()
      local _, problem = client:feed(first:sub(1, at - 1) .. string.char(math.random(0, 255)) .. first:sub(at + 1))
      assert.is_false(client:ready())
      client:take()
      if problem then assert.error(function() client:feed "x" end) end
    end
  end)
end)

describe("tls.client", function()
  it("takes the name of a host, which is checked in any case", function()
    for _, host in ipairs { "", {}, "redis.example\0.evil", "127.0.0.1\0", false } do
      assert.error_matches(function() tls.client(host) end, "bad argument #1")
    end
  end)
end)
