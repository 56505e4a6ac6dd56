-- Whatever is raised is a failed request, not a dead process (rules 6, 14).
local sessions = require "spec.support.sessions"
local temp_routes = require "spec.support.temp_routes"

local function deep(n) return n and 1 + deep(n + 1) end

local nasty = {
  ["nil"] = function() error(nil) end,
  ["an empty table"] = function() error({}) end,
  ["false"] = function() error(false) end,
  ["a number"] = function() error(0) end,
  ["a function"] = function() error(print) end,
  ["a coroutine"] = function() error(coroutine.create(print)) end,
  ["a userdata"] = function() error(io.stdout) end,
  ["a __tostring that raises"] = function()
    error(setmetatable({}, { __tostring = function() error "in __tostring" end }))
  end,
  ["a __tostring that returns no string"] = function()
    error(setmetatable({}, { __tostring = function() return 1 end }))
  end,
  ["a metatable that raises at every touch"] = function()
    local function refuse() error "do not touch" end
    error(setmetatable({}, { __index = refuse, __tostring = refuse, __eq = refuse, __name = refuse, __len = refuse }))
  end,
  ["a stack overflow"] = function() deep(1) end,
  ["a string with control bytes"] = function() error("\0\27[31m\r\n\255", 0) end,
  ["a very long string"] = function() error(("x"):rep(1000000), 0) end,
  ["a string that does not fit into memory"] = function() return ("x"):rep(1 << 62) end,
  ["an error in an error handler"] = function()
    xpcall(error, function() error "again" end)
    error "first"
  end,
  ["an error in a to-be-closed variable"] = function()
    local _ <close> = setmetatable({}, { __close = function() error "while closing" end })
    error "while running"
  end,
}

for name, raise in pairs(nasty) do
  describe("raising " .. name, function()
    it("in a handler is a 500, and the next request is answered", function()
      local app <close> = temp_routes.app { ["bad.lua"] = raise, ["good.lua"] = function() return "good" end }
      local connection = app:connect()
      connection:send "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\nGET /good HTTP/1.1\r\nHost: localhost\r\n\r\n"
      assert.equal(500, connection:answer().status)
      assert.equal("good", connection:answer().body)
      assert.is_true(#app.log >= 1)
      for _, line in ipairs(app.log) do assert.is_nil(line:find "[\0\27\r]") end
    end)

    it("after a wait is a 500 as well", function()
      local app <close> = temp_routes.app {
        ["bad.lua"] = function()
          require("sprylua").sleep(1)
          return raise()
        end,
      }
      assert.equal(500, app:get("/bad").status)
    end)

    it("in a session is a 1011", function()
      local app <close> = sessions.app(raise)
      assert.equal(1011, select(3, app:ws("/ws"):receive()))
    end)

    it("in a middleware, an error file and a conversion is a 500", function()
      local app <close> = temp_routes.app {
        ["_error.lua"] = raise,
        ["a/_middleware.lua"] = raise,
        ["a/index.lua"] = function() return "never" end,
        ["b.lua"] = function() return setmetatable({}, { __pairs = raise, __index = raise }) end,
      }
      assert.equal(500, app:get("/a").status)
      local status = app:get("/b").status
      assert.is_true(status == 500 or status == 200)
    end)
  end)
end

describe("a handler that returns nonsense", function()
  it("is a 500 that names the file", function()
    local app <close> = temp_routes.app {
      ["nothing.lua"] = function() end,
      ["number.lua"] = function() return 42 end,
      ["func.lua"] = function() return print end,
      ["cycle.lua"] = function()
        local t = {}
        t.t = t
        return t
      end,
    }
    for _, path in ipairs { "nothing", "number", "func", "cycle" } do
      assert.equal(500, app:get("/" .. path).status)
    end
    local log = table.concat(app.log, "\n")
    assert.matches("nothing.lua", log)
    assert.matches("forgot return%?", log)
  end)
end)
