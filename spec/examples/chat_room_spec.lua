local log = require "sprylua.log"
local testing = require "sprylua.testing"

-- Both rooms: the tutorial's, and the default app's.
for folder, prints in pairs { ["examples/chat-room/routes"] = true, ["routes"] = false } do
  describe("the room in " .. folder, function()
    local app, printed, print_before

    before_each(function()
      app = testing.app(folder)
      printed, print_before = {}, _G.print
      _G.print = function(text) printed[#printed + 1] = text end -- luacheck: ignore
    end)

    after_each(function()
      _G.print = print_before -- luacheck: ignore
      app:close()
    end)

    it("tells plain HTTP clients how many are there", function()
      assert.same({
        name = "Spry Chat Room",
        connections = 0,
        instructions = "Connect with a WebSocket client to join the chat",
      }, app:get("/room"):json())
      app:ws "/room"
      app:ws "/room"
      assert.equal(2, app:get("/room"):json().connections)
      if prints then assert.same({ "New connection (total: 1)", "New connection (total: 2)" }, printed) end
    end)

    it("broadcasts who comes, what is said, and who leaves", function()
      local ann = app:ws "/room"
      assert.equal("User joined (1 online)", ann:receive())
      local ben = app:ws "/room"
      assert.equal("User joined (2 online)", ann:receive())
      assert.equal("User joined (2 online)", ben:receive())
      ben:sendText "hi"
      assert.equal("Message: hi", ann:receive())
      assert.equal("Message: hi", ben:receive())
      ben:sendBinary "ignored"
      ben:close()
      assert.equal("User left (1 online)", ann:receive())
      assert.same({ nil, "timeout" }, { ann:receive(1) })
      assert.equal(1, app:get("/room"):json().connections)
    end)

    it("forgets who vanishes", function()
      local ann, ben = app:ws "/room", app:ws "/room"
      ben:hangup()
      ann:sendText "alone?"
      repeat local message = ann:receive() until message == "Message: alone?"
      assert.equal(1, app:get("/room"):json().connections)
      ann:hangup()
      assert.equal(0, app:get("/room"):json().connections)
      assert.same({}, app.log)
      assert.is_function(log.error)
    end)

    it("has room for many", function()
      local all = {}
      for i = 1, 40 do all[i] = app:ws "/room" end
      all[1]:sendText "to everybody"
      for i = 1, 40 do
        local message
        repeat message = all[i]:receive() until message:find "^Message"
        assert.equal("Message: to everybody", message)
      end
    end)
  end)
end
