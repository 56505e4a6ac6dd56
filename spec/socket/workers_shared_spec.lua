-- spry.shared over several workers: one command at a time, whoever gives it.

local json = require "sprylua.json"
local server = require "spec.support.server"
local temp_routes = require "spec.support.temp_routes"

local running

before_each(function()
  running = server.serve(temp_routes.project {
    ["routes/count.lua"] = [[
      local spry = require "sprylua"
      local hits = spry.shared "hits"
      return function(event)
        local n
        for _ = 1, 10 do n = hits:incr "n" end
        return { n = n, worker = event.context.worker }
      end]],
    ["routes/lock.lua"] = [[
      local spry = require "sprylua"
      local locks = spry.shared "locks"
      return function(event)
        local won = locks:cas("one", nil, event.context.worker, { ttl = 0.2 })
        return { won = won, holder = locks:get "one" }
      end]],
    ["routes/load.lua"] = [[
      local ok, problem = pcall(function() return require "sprylua".shared "hits":get "n" end)
      return function() return tostring(problem) end]],
  } .. "/routes", { arguments = { "-w", "3" } })
end)

after_each(function() running:cleanup() end)

describe("a shared table of several workers", function()
  it("counts every increment once", function()
    local workers, highest = {}, 0
    for _ = 1, 30 do
      local answer = json.decode((running:get "/count"))
      workers[answer.worker] = true
      assert.equal(highest + 10, answer.n)
      highest = answer.n
    end
    assert.is_not_nil(next(workers, next(workers)))
    server.stop(running)
  end)

  it("lets one of them win", function()
    local first = json.decode((running:get "/lock"))
    assert.is_true(first.won)
    local second = json.decode((running:get "/lock"))
    assert.same({ won = false, holder = first.holder }, second)
    running:wait(function() return json.decode((running:get "/lock")).won end, "the end of the lock")
    server.stop(running)
  end)

  it("is not there while routes are loaded", function()
    assert.matches("shared:get waits, which takes a coroutine", (running:get "/load"))
    server.stop(running)
  end)
end)
