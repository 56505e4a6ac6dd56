-- Sessions that subscribe, unsubscribe, publish and end at random, beside a model of them.

local cases = require "spec.support.ws_cases"
local core = require "sprylua.core"

local topic = core.topic
local from_server = cases.from_server

describe("topics", function()
  it("are what a table of names and sets would be", function()
    math.randomseed(4)
    local app, all, model = cases.app(), {}, {}
    local function open()
      local client = cases.open(app)
      all[#all + 1] = client
      client.heard = {}
    end
    local function forget(client)
      for name, set in pairs(model) do
        set[client] = nil
        if not next(set) then model[name] = nil end
      end
    end
    for _ = 1, 20 do open() end
    for step = 1, 5000 do
      local at, name, dice = math.random(#all), "topic " .. math.random(30), math.random(100)
      local client = all[at]
      local set = model[name]
      if dice <= 40 then
        assert.equal(not (set and set[client]), topic.subscribe(client.seen.ws, name))
        model[name] = set or {}
        model[name][client] = true
      elseif dice <= 60 then
        assert.equal(set and set[client] or false, topic.unsubscribe(client.seen.ws, name))
        if set then
          set[client] = nil
          if not next(set) then model[name] = nil end
        end
      elseif dice <= 97 then
        local n = 0
        for one in pairs(set or {}) do
          one.heard[#one.heard + 1] = from_server("text", tostring(step))
          n = n + 1
        end
        assert.equal(n, topic.publish(name, tostring(step)))
      else
        app.core:settle()
        assert.equal(table.concat(client.heard), client:take())
        client:hangup()
        forget(client)
        table.remove(all, at)
        open()
      end
    end
    local expected = {}
    for name, set in pairs(model) do
      expected[name] = 0
      for _ in pairs(set) do expected[name] = expected[name] + 1 end
    end
    assert.same(expected, topic.list())
    app.core:settle()
    for _, client in ipairs(all) do
      assert.equal(table.concat(client.heard), client:take())
      client:hangup()
    end
    assert.same({ 0, 0 }, { core.stats().topics, core.stats().subscriptions })
  end)
end)
