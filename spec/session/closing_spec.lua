local core = require "sprylua.core"
local frames = require "sprylua.testing.frames"
local sessions = require "spec.support.sessions"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("the end of a session", function()
  local seen
  before_each(function() seen = {} end)

  local function echo()
    return sessions.app(sessions.echo(seen))
  end

  it("by the client reads as a close with its code and reason, and is echoed", function()
    local app <close> = echo()
    local ws = app:ws "/ws"
    ws:close(4001, "I am off")
    assert.same({ { "close", 4001, "I am off" } }, seen)
    assert.equal(4001, ws.closeCode)
    assert.is_true(ws.connection:closed())
  end)

  it("by the client without a code is 1005", function()
    local app <close> = echo()
    local ws = app:ws "/ws"
    ws:sendFrame { opcode = "close" }
    ws:receive(1)
    assert.equal("close", seen[1][1])
    assert.equal(1005, seen[1][2])
    assert.equal("", ws.frames[#ws.frames].payload)
  end)

  it("comes behind the messages that were sent before", function()
    local app <close> = echo()
    local ws = app:ws "/ws"
    ws:send(frames.encode { opcode = "text", payload = "last words" }
      .. frames.encode { opcode = "close", payload = frames.closePayload(1000) })
    assert.equal("last words", ws:receive())
    assert.same({ nil, "close", 1000, "" }, { ws:receive() })
    assert.equal("text", seen[1][1])
    assert.equal("close", seen[2][1])
  end)

  it("by a lost connection is 1006, in the middle of a frame too", function()
    local app <close> = echo()
    local ws = app:ws "/ws"
    ws:hangup()
    assert.same({ { "close", 1006, "" } }, seen)
    seen[1] = nil
    local other = app:ws "/ws"
    other:send(frames.encode({ opcode = "text", payload = ("x"):rep(1000) }):sub(1, 500))
    other:hangup()
    assert.equal(1006, seen[1][2])
  end)

  it("by an end of file without a close frame is 1006 as well", function()
    local app <close> = echo()
    local ws = app:ws "/ws"
    ws.connection:finish()
    assert.equal(1006, seen[1] and seen[1][2])
  end)

  it("by returning is 1000", function()
    local app <close> = sessions.app(function(ws) ws:sendText "bye" end)
    local ws = app:ws "/ws"
    assert.equal("bye", ws:receive())
    assert.same({ nil, "close", 1000, "" }, { ws:receive() })
    assert.is_true(ws.connection:closed())
  end)

  it("by an error is 1011, in the log with its traceback, told to onError, and not to _error.lua", function()
    local asked, told = false, {}
    package.loaded["spec.told"] = told
    local folder = temp_routes.project {
      ["routes/ws.get.lua"] = function(event)
        return event.ws:upgrade(function(ws)
          ws:sendText "before"
          ws:receive()
          error "the session broke"
        end)
      end,
      ["routes/_error.lua"] = function() asked = true end,
      ["hooks.lua"] = [[
        return { onError = function(err) table.insert(require "spec.told", err) end }
      ]],
    }
    local app <close> = require("sprylua.testing").app(folder .. "/routes")
    local ws = app:ws "/ws"
    ws:receive()
    ws:sendText "go"
    local _, kind, code = ws:receive()
    assert.same({ "close", 1011 }, { kind, code })
    local log = table.concat(app.log, "\n")
    assert.matches("the session broke", log)
    assert.matches("traceback", log)
    assert.matches("closing_spec.lua", log)
    assert.is_false(asked)
    assert.equal(1, #told)
  end)

  for name, value in pairs { ["nil"] = "nothing", ["a table"] = {}, ["a number"] = 42, ["false"] = false } do
    it("by error(" .. name .. ") is 1011 as well", function()
      if value == "nothing" then value = nil end
      local app <close> = sessions.app(function() error(value) end)
      local _, kind, code = app:ws("/ws"):receive()
      assert.same({ "close", 1011 }, { kind, code })
      assert.is_true(#app.log > 0)
    end)
  end

  it("by an HTTPError is 1011: there is no response to become any more", function()
    local app <close> = sessions.app(function() error(spry.HTTPError(404)) end)
    local _, kind, code = app:ws("/ws"):receive()
    assert.same({ "close", 1011 }, { kind, code })
  end)

  it("by the server's stop is 1001", function()
    local app = echo()
    local ws = app:ws "/ws"
    app:close()
    assert.same({ nil, "close", 1001, ws.closeReason }, { ws:receive(0) })
    assert.equal("close", seen[1][1])
    assert.equal(1001, seen[1][2])
  end)

  it("by the server's stop reaches a session that sleeps", function()
    local finished = false
    local app = sessions.app(function(ws)
      spry.sleep(3)
      finished = not ws:sendText "too late"
    end)
    local ws = app:ws "/ws"
    app:close()
    assert.equal(1001, ws.closeCode)
    ws:receive(5)
    assert.is_true(finished)
  end)
end)

describe("ws:close", function()
  it("sends its code and reason, and the function goes on", function()
    local went, fields = {}, nil
    local app <close> = sessions.app(function(ws)
      assert(ws:close(4000, "enough"))
      went[1] = { ws:sendText "after" }
      for kind, code, reason in ws.events do went[#went + 1] = { kind, code, reason } end
      fields = { ws.closed, ws.closeCode, ws.closeReason }
    end)
    local ws = app:ws "/ws"
    assert.same({ nil, "close", 4000, "enough" }, { ws:receive() })
    assert.same({ nil, "closed" }, went[1])
    assert.equal("close", went[2][1])
    assert.same({ true, 4000, "enough" }, fields)
  end)

  it("in the middle of the events ends the loop", function()
    local kinds = {}
    local app <close> = sessions.app(function(ws)
      for kind in ws.events do
        kinds[#kinds + 1] = kind
        if kind == "text" then ws:close() end
      end
    end)
    local ws = app:ws "/ws"
    ws:send(frames.encode { opcode = "text", payload = "a" } .. frames.encode { opcode = "text", payload = "b" })
    local _, kind, code = ws:receive()
    assert.same({ "close", 1000 }, { kind, code })
    assert.equal("text", kinds[1])
    assert.equal("close", kinds[#kinds])
  end)

  it("may be said twice", function()
    local app <close> = sessions.app(function(ws)
      ws:close(4000)
      ws:close(4001)
    end)
    assert.same({ nil, "close", 4000, "" }, { app:ws("/ws"):receive() })
  end)

  it("refuses codes that nobody may send, and reasons that are too long", function()
    local problems = {}
    local app <close> = sessions.app(function(ws)
      for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5 } do
        problems[#problems + 1] = pcall(ws.close, ws, code)
      end
      problems[#problems + 1] = pcall(ws.close, ws, 1000, ("x"):rep(124))
      problems[#problems + 1] = pcall(ws.close, ws, 1000, "\xff")
      ws:sendText "still open"
    end)
    local ws = app:ws "/ws"
    assert.equal("still open", ws:receive())
    for i = 1, 11 do assert.is_false(problems[i], "problem " .. i) end
  end)

  it("does not wait for a client that never answers it", function()
    local app <close> = sessions.app(function(ws) ws:close(4000) end)
    local ws = app:ws("/ws", { echo = false })
    assert.equal(4000, select(3, ws:receive()))
    app.clock:advance(30)
    assert.is_true(ws.connection:closed())
  end)
end)

describe("what a client does against the protocol", function()
  local function violate(code, frame, opts)
    local seen = {}
    local app <close> = sessions.app(sessions.echo(seen), opts)
    local ws = app:ws "/ws"
    if type(frame) == "string" then ws:send(frame) else ws:sendFrame(frame) end
    local _, kind, got = ws:receive(1)
    assert.equal("close", kind)
    assert.equal(code, got)
    app.clock:advance(10)
    assert.is_true(ws.connection:closed())
    assert.equal("close", seen[#seen][1])
  end

  it("an unmasked frame: 1002", function() violate(1002, { opcode = "text", payload = "a", mask = false }) end)
  it("a reserved bit: 1002", function() violate(1002, { opcode = "text", payload = "a", rsv = 4 }) end)
  it("an unknown opcode: 1002", function() violate(1002, { opcode = 3, payload = "a" }) end)
  it("a fragmented ping: 1002", function() violate(1002, { opcode = "ping", payload = "a", fin = false }) end)
  it("a continuation of nothing: 1002", function() violate(1002, { opcode = "continuation", payload = "a" }) end)
  it("a ping that is too long: 1002", function() violate(1002, { opcode = "ping", payload = ("p"):rep(126) }) end)
  it("a close of one byte: 1002", function() violate(1002, { opcode = "close", payload = "a" }) end)
  it("a close with a forbidden code: 1002", function()
    violate(1002, { opcode = "close", payload = frames.closePayload(1006) })
  end)
  it("a text that is not UTF-8: 1007", function() violate(1007, { opcode = "text", payload = "\xc3\x28" }) end)
  it("a message over the limit: 1009", function()
    violate(1009, { opcode = "text", payload = ("a"):rep(1001) }, { maxMessage = 1000 })
    violate(1009, frames.encode { opcode = "text", payload = ("a"):rep(600), fin = false }
      .. frames.encode { opcode = "continuation", payload = ("a"):rep(600) }, { maxMessage = 1000 })
  end)
end)

describe("after its end, a ws", function()
  it("takes sends with nil, \"closed\"; nothing raises", function()
    local kept
    local app <close> = sessions.app(function(ws)
      kept = ws
      ws.locals.name = "Ann"
      ws.events:drain()
    end)
    local ws = app:ws "/ws"
    ws:hangup()
    collectgarbage()
    for _, method in ipairs { "sendText", "sendBinary", "ping" } do
      assert.same({ nil, "closed" }, { kept[method](kept, "x") })
    end
    assert.same({ nil, "closed" }, { kept:sendJson {} })
    kept:close()
    assert.is_true(kept.closed)
    assert.equal(1006, kept.closeCode)
    assert.equal("Ann", kept.locals.name)
    assert.is_string(kept.id)
    assert.equal(0, kept.bufferedAmount)
  end)

  it("has its fields also when the session has returned", function()
    local kept
    local app <close> = sessions.app(function(ws) kept = ws end)
    assert.equal(1000, select(3, app:ws("/ws"):receive()))
    assert.is_true(kept.closed)
    assert.equal(1000, kept.closeCode)
    assert.same({ nil, "closed" }, { kept:sendText "x" })
  end)

  it("gives no more events: the loop ends, and one more receive says that it is over", function()
    local again, loops = nil, 0
    local app <close> = sessions.app(function(ws)
      ws.events:drain()
      for _ in ws.events do loops = loops + 1 end
      again = { pcall(ws.receive, ws) }
      ws.events:drain()
    end)
    app:ws("/ws"):close()
    assert.equal(0, loops)
    -- Whether it raises or returns, it must neither wait nor deliver a second close.
    assert.is_table(again)
    assert.is_not.equal("close", again[2])
  end)
end)

describe("a session whose peer is gone", function()
  local order

  local function serve(session)
    order = {}
    return sessions.app(function(ws)
      local _ <close> = spry.defer(function() order[#order + 1] = "closed" end)
      session(ws)
      order[#order + 1] = "done"
    end)
  end

  it("ends where it waits, if it only sends and sleeps", function()
    local app <close> = serve(function(ws)
      while true do
        ws:sendText "tick"
        spry.sleep(1)
      end
    end)
    app:ws("/ws"):hangup()
    app.clock:advance(4)
    assert.same({}, order)
    app.clock:advance(7)
    assert.same({ "closed" }, order)
    assert.equal(0, core.stats().tasks)
  end)

  it("has its time to read what had come", function()
    local seen = {}
    local app <close> = serve(function(ws)
      for kind, data in ws.events do
        seen[#seen + 1] = kind == "text" and data or kind
        if kind == "text" then spry.sleep(3) end
      end
    end)
    local ws = app:ws "/ws"
    for i = 1, 4 do ws:sendText(tostring(i)) end
    ws:hangup()
    for _ = 1, 20 do app.clock:advance(1) end
    assert.same({ "1", "2", "3", "4", "close" }, seen)
    assert.same({ "done", "closed" }, order)
  end)

  it("may take as long as it likes once it has seen the end", function()
    local app <close> = serve(function(ws)
      ws.events:drain()
      spry.sleep(60)
    end)
    app:ws("/ws"):hangup()
    for _ = 1, 61 do app.clock:advance(1) end
    assert.same({ "done", "closed" }, order)
  end)

  it("knows the code before it has read the event", function()
    local code
    local app <close> = serve(function(ws)
      spry.sleep(2)
      code = ws.closeCode
      ws.events:drain()
    end)
    app:ws("/ws"):hangup()
    app.clock:advance(2)
    assert.equal(1006, code)
  end)
end)
