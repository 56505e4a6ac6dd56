-- What spry.redis gives to Redis, and what it makes of the answers; spec/socket/redis_spec.lua has a real server.

local client = require "sprylua.redis.client"

local redis = client.redis
local up, why, asked

-- Answers when a spec says so.
local connection = {
  command = function(_, answer, ...)
    if up then asked[#asked + 1] = { answer = answer, ... } end
    return up, why
  end,
}

before_each(function()
  up, why, asked = true, nil, {}
  client.use(connection)
end)

after_each(function() client.use(nil) end)

-- Runs fn in a coroutine; what it has returned is in the table, once it has.
local function start(fn)
  local result = {}
  coroutine.wrap(function()
    local packed = table.pack(pcall(fn))
    table.move(packed, 1, packed.n, 1, result)
    result.n = packed.n
  end)()
  return result
end

local function problem(fn)
  return start(fn)[2]
end

describe("spry.redis", function()
  it("gives the words of a command as strings", function()
    start(function() redis:set("key", 7, "PX", 1.5) end)
    local question = asked[1]
    assert.same({ "set", "key", "7", "PX", "1.5" }, { table.unpack(question) })
  end)

  it("waits for the answer, whoever else resumes it", function()
    local first = start(function() return redis:get "a" end)
    local second = start(function() return redis:command("INCR", "n") end)
    assert.same({}, first)
    asked[1].answer("string", "x")
    asked[2].answer("integer", 2)
    assert.same({ true, "x", n = 2 + 1 }, first)
    assert.same({ true, 2, n = 3 }, second)
  end)

  it("returns nil for nothing, and a message for what went wrong", function()
    for kind, value in pairs { ["error"] = "ERR no", lost = "the connection to Redis was lost" } do
      local result = start(function() return redis:get "a" end)
      asked[#asked].answer(kind, value)
      assert.same({ true, nil, value, n = 3 }, result)
    end
    local result = start(function() return redis:get "a" end)
    asked[#asked].answer("nil", nil)
    assert.same({ true, nil, nil, n = 3 }, result)
    up = false
    assert.same({ true, nil, "Redis is not connected", n = 3 }, start(function() return redis:get "a" end))
  end)

  it("raises for what its caller has done wrong", function()
    assert.matches("takes the name of a command", problem(function() redis:command() end))
    assert.matches("argument 1 of get is a string or a number, not nil", problem(function() redis:get(nil) end))
    assert.matches("argument 2 of set is .*, not a boolean", problem(function() redis:set("a", true) end))
    assert.matches("does not take SELECT", problem(function() redis:select(1) end))
    assert.matches("does not take SUBSCRIBE", problem(function() redis:command("Subscribe", "x") end))
    assert.matches("with a colon", problem(function() redis.get "a" end))
    assert.matches("with a colon", problem(function() redis.command "GET" end))
    assert.matches("does not take WAIT: it needs a connection", problem(function() redis:wait(1, 0) end))
    assert.matches("client_spec.lua:%d+: spry.redis does not take SCRIPT DEBUG: it needs", problem(function()
      redis:script("debug", "YES")
    end))
    assert.matches("does not take SCRIPT DEBUG", problem(function() redis:command("SCRIPT", "Debug", "sync") end))
    for _, name in ipairs { "debug", "ASKING", "READONLY", "READWRITE", "post", "Host:" } do
      assert.matches("does not take " .. name:upper(), problem(function() redis:command(name, "x") end))
    end
    assert.matches("does not take XREAD with BLOCK: it needs", problem(function()
      redis:xread("block", 0, "STREAMS", "s", 0)
    end))
    assert.matches("XREADGROUP with BLOCK", problem(function()
      redis:xreadgroup("GROUP", "streams", "c", "COUNT", 1, "NOACK", "Block", 5, "STREAMS", "s", ">")
    end))
    assert.same({}, asked)
  end)

  it("takes what only looks as if it waited", function()
    start(function() redis:xread("COUNT", 2, "STREAMS", "block", 0) end)
    start(function() redis:xreadgroup("GROUP", "block", "block", "STREAMS", "s", ">") end)
    start(function() redis:xread() end)
    start(function() redis:set("BLOCK", 1) end)
    start(function() redis:script("LOAD", "DEBUG") end)
    start(function() redis:command("SCRIPT", 5) end)
    assert.equal(6, #asked)
  end)

  it("tells why something can't be sent", function()
    up, why = false, "Redis does not take what it is sent"
    assert.same({ true, nil, why, n = 3 }, start(function() return redis:get "a" end))
  end)

  it("says how to configure it", function()
    client.use(nil)
    assert.matches("client_spec.lua:%d+: spry.redis has no server: set redis = \"redis://",
      problem(function() redis:get "a" end))
  end)

  it("keeps its commands as they are", function()
    start(function() redis:get "a" end)
    for _, name in ipairs { "get", "command", "never_used" } do
      local raised = problem(function() redis[name] = 5 end)
      assert.matches("client_spec.lua:%d+: spry.redis has only commands", raised)
    end
    start(function() redis:get "a" end)
    assert.equal(2, #asked)
  end)

  it("survives that whoever waited is gone", function()
    local waiting = coroutine.create(function() redis:get "a" end)
    assert(coroutine.resume(waiting))
    coroutine.close(waiting)
    asked[1].answer("string", "x")
  end)
end)
