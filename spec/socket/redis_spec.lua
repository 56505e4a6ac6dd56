-- spry.redis with a real Redis server.

local json = require "sprylua.json"
local peer_server = require "spec.support.peer_server"
local redis_server = require "spec.support.redis_server"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local COMMAND = [[
  local spry = require "sprylua"
  return function(event)
    local words = event.request:json()
    local ok, value, message = pcall(function() return spry.redis:command(table.unpack(words)) end)
    return { raised = not ok and tostring(value) or nil, value = ok and value or nil, message = message }
  end]]

-- Many coroutines that ask at once, and what each of them gets.
local MANY = [[
  local spry = require "sprylua"
  return function()
    local got, left = {}, 100
    for i = 1, 100 do
      spry.spawn(function()
        spry.redis:set("key" .. i, i)
        got[i] = spry.redis:get("key" .. i)
        left = left - 1
      end)
    end
    repeat spry.sleep(0.01) until left == 0
    return got
  end]]

local METHODS = [[
  local spry = require "sprylua"
  return function()
    local redis = spry.redis
    return {
      redis:set("a", "x\0y"), redis:get "a" == "x\0y", redis:get "none" == nil, redis:incr "n", redis:incrby("n", 41),
      redis:rpush("l", 1, 2.5, "three"), redis:lrange("l", 0, -1), redis:mget("n", "none"),
    }
  end]]

local HOOKS = [[
  local spry = require "sprylua"
  return { onStart = function(config) if config.redis then spry.redis:set("started", 1) end end }]]

local redis, running

local function serve(setting)
  running = server.serve(temp_routes.project {
    ["sprylua.config.lua"] = setting and ("return { redis = %q }"):format(setting) or "return {}",
    ["routes/command.post.lua"] = COMMAND, ["routes/many.lua"] = MANY, ["routes/methods.lua"] = METHODS,
    ["hooks.lua"] = HOOKS,
    ["routes/load.lua"] = [[
      local ok, problem = pcall(function() return require "sprylua".redis:get "x" end)
      return function() return tostring(problem) end]],
  } .. "/routes")
end

after_each(function()
  if running then running:cleanup() end
  if redis then redis:cleanup() end
  running, redis = nil, nil
end)

local function command(...)
  local client <close> = server.connect(running.port)
  local body = json.encode { ... }
  client:send(("POST /command HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
  return json.decode(client:answer("POST").body)
end

describe("spry.redis", function()
  it("has any command as a method", function()
    redis = redis_server.start()
    serve(redis.url)
    local expected = { "OK", true, true, 1, 42, 3, { "1", "2.5", "three" }, { "42", false } }
    assert.same(expected, json.decode((running:get "/methods")))
    server.stop(running)
  end)

  it("is there when onStart runs", function()
    redis = redis_server.start()
    serve(redis.url)
    assert.equal("1", redis:cli "get started")
    server.stop(running)
  end)

  it("gives each of many coroutines its own answer", function()
    redis = redis_server.start()
    serve(redis.url)
    local got = json.decode((running:get "/many"))
    for i = 1, 100 do assert.equal(tostring(i), got[i]) end
    server.stop(running)
  end)

  it("returns what Redis refuses as a message", function()
    redis = redis_server.start()
    serve(redis.url)
    assert.matches("^ERR unknown command 'NONSENSE'", command("NONSENSE", "x").message)
    command("SET", "word", "abc")
    assert.same({ message = "ERR value is not an integer or out of range" }, command("INCR", "word"))
    assert.same({ value = { { "a", false, 7 }, { err = "ERR no" } } },
      command("EVAL", "return { { 'a', false, 7 }, redis.error_reply('ERR no') }", 0))
    server.stop(running)
  end)

  it("raises for what can't be asked", function()
    redis = redis_server.start()
    serve(redis.url)
    assert.matches("does not take SUBSCRIBE: use ws:subscribe and spry.publish", command("subscribe", "x").raised)
    assert.matches("does not take MULTI: use EVAL", command("MULTI").raised)
    assert.matches("does not take BLPOP: it needs a connection of its own", command("BLPOP", "x", 0).raised)
    assert.matches("does not take XREAD with BLOCK: it needs a connection of its own",
      command("XREAD", "COUNT", 1, "block", 0, "STREAMS", "x", "$").raised)
    assert.matches("argument 2 of SET is a string or a number, not a table", command("SET", "a", {}).raised)
    assert.matches("takes the name of a command", command("").raised)
    assert.matches("waits, which takes a coroutine", (running:get "/load"))
    server.stop(running)
  end)

  it("says how to configure it", function()
    serve(nil)
    assert.matches('spry.redis has no server: set redis = "redis://127.0.0.1:6379/0" in sprylua.config.lua',
      command("GET", "x").raised, 1, true)
    server.stop(running)
  end)

  it("logs in, and uses the database that the address names", function()
    redis = redis_server.start { password = "open-sesame" }
    serve((redis.url:gsub("/0$", "/5")))
    assert.equal("OK", command("SET", "there", "yes").value)
    assert.equal("yes", redis:cli "-n 5 get there")
    server.stop(running)
  end)

  it("is not connected with a wrong password, and the log does not tell it", function()
    redis = redis_server.start { password = "open-sesame" }
    serve((redis.url:gsub("open%-sesame", "shut")))
    assert.equal("Redis is not connected", command("GET", "x").message)
    assert.matches("WRONGPASS", running:err())
    assert.is_nil(running:err():find "shut")
    server.stop(running)
  end)

  it("comes back with Redis", function()
    redis = redis_server.start()
    serve(redis.url)
    assert.equal("OK", command("SET", "kept", "1").value)
    redis:kill()
    running:wait(function() return command("GET", "kept").message == "Redis is not connected" end, "the loss")
    redis:start()
    running:wait(function() return command("GET", "kept").value == "1" end, "the way back")
    assert.matches("is connected again", running:err())
    server.stop(running)
  end)

  it("fails what is asked while the connection breaks", function()
    redis = redis_server.start()
    serve(redis.url)
    local client <close> = server.connect(running.port)
    local body = json.encode { "EVAL", "while true do end", 0 }
    client:send(("POST /command HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
    running:wait(function() return redis:busy() end, "the command")
    redis:kill()
    assert.equal("the connection to Redis was lost", json.decode(client:answer("POST").body).message)
    server.stop(running)
  end)

  it("leaves a server that is no Redis alone, and serves", function()
    serve "redis://127.0.0.1:1/0"
    assert.equal("Redis is not connected", command("GET", "x").message)
    assert.matches("Redis at 127.0.0.1, port 1 is not connected: no connection to 127.0.0.1, port 1: "
      .. "nobody listens there %(ECONNREFUSED%); trying again", running:err())
    server.stop(running)
  end)

  it("survives a server that answers what nobody has asked", function()
    local listener <close> = peer_server.listen()
    running = server.serve(temp_routes.project {
      ["sprylua.config.lua"] = ("return { redis = %q }"):format("redis://127.0.0.1:" .. listener.port),
      ["routes/command.post.lua"] = COMMAND,
    } .. "/routes", { silent = true })
    server.wait(function()
      for _, peer in ipairs(listener.peers) do
        if not peer.ended then peer:send(("+OK\r\n:1\r\n*1\r\n$-1\r\n"):rep(300)) end
      end
      return running:err():find("it has answered what nobody has asked", 1, true)
    end, "the end of the connection")
    running:says "listens on"
    running.port = tonumber(running:err():match "listens on http://[^:]+:(%d+)")
    assert.equal("Redis is not connected", command("GET", "x").message)
    server.stop(running)
  end)
end)
