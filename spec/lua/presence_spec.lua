local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local testing = require "sprylua.testing"

describe("presence", function()
  local function room()
    local name = sessions.topic "room "
    local app, results = sessions.commands {
      sub = sessions.subscribe(name),
      track = function(ws, meta) return ws:track(name, meta ~= "" and { name = meta } or nil) end,
      untrack = function(ws) return ws:untrack(name) end,
      raise = function() error "as told" end,
      sleep = function() spry.sleep(1000) end,
    }
    local watch = app:ws "/ws"
    watch:sendText "sub"
    return name, app, results, watch
  end

  local function change(name, what, key, meta)
    return { topic = name, presence = what, key = key, meta = meta }
  end

  it("tells who joins and who leaves, and lists who is there", function()
    local name, app, results, watch = room()
    assert.same({}, spry.presence(name))
    local ann = app:ws "/ws"
    ann:sendText "track ann"
    local a = results.ws.id
    assert.is_true(results.track[1])
    local ben = app:ws "/ws"
    ben:sendText "track"
    local b = results.ws.id
    assert.same({ { key = a, meta = { name = "ann" } }, { key = b, meta = {} } }, spry.presence(name))
    ann:sendText "track anna"
    assert.same({ { key = a, meta = { name = "anna" } }, { key = b, meta = {} } }, spry.presence(name))
    ann:sendText "untrack"
    assert.same({ true, n = 1 }, results.untrack)
    ann:sendText "untrack"
    assert.same({ false, n = 1 }, results.untrack)
    ann:sendText "track back"
    ann:close()
    ben:hangup()
    for _, expected in ipairs {
      change(name, "join", a, { name = "ann" }), change(name, "join", b, {}),
      change(name, "join", a, { name = "anna" }),
      change(name, "leave", a, { name = "anna" }), change(name, "join", a, { name = "back" }),
      change(name, "leave", a, { name = "back" }), change(name, "leave", b, {}),
    } do
      assert.same(expected, watch:receiveJson())
    end
    assert.same({}, spry.presence(name))
    app:close()
  end)

  for how, finish in pairs {
    raises = function(ws) ws:sendText "raise" end,
    ["sleeps while its peer goes"] = function(ws)
      ws:sendText "sleep"
      ws:hangup()
    end,
  } do
    it("ends with a session that " .. how, function()
      local name, app, _, watch = room()
      local ws = app:ws "/ws"
      ws:sendText "sub"
      ws:sendText "track"
      assert.equal("join", watch:receiveJson().presence)
      finish(ws)
      assert.equal("leave", watch:receiveJson().presence)
      assert.same({}, spry.presence(name))
      app:close()
    end)
  end

  it("is not changed by what is done with its meta afterwards", function()
    local name, app, results = room()
    app:ws("/ws"):sendText "track"
    local meta = { list = { 1 } }
    results.ws:track(name, meta)
    meta.list[1] = 2
    spry.presence(name)[1].meta.list[1] = 3
    assert.same({ list = { 1 } }, spry.presence(name)[1].meta)
    app:close()
    assert.same({}, spry.presence(name))
  end)

  it("is for a ws that can still be reached", function()
    local name, app, results = room()
    app:ws("/ws"):sendText "track"
    results.ws:close()
    assert.same({ nil, "closed" }, { results.ws:track(name) })
    assert.same({ nil, "closed" }, { results.ws:track "another" })
    testing.reset()
    assert.same({}, spry.presence(name))
    assert.same({}, spry.presence "another")
    app:close()
  end)
end)
