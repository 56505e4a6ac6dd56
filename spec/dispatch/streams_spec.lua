-- A stream that raises: as long as nothing has left, that is an error like any other; later the client sees that the
-- response is broken off.
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

local files = {
  ["early.lua"] = function()
    return spry.Response.stream(function(write)
      write "hello"
      error "boom"
    end)
  end,
  ["late.lua"] = function()
    return spry.Response.stream(function(write)
      write "hello"
      spry.sleep(1)
      error "boom"
    end)
  end,
  ["events.lua"] = function()
    return spry.Response.events(function(send)
      send "one"
      send { data = error }
    end)
  end,
  ["plain_headers.lua"] = function()
    local response = spry.Response.text "x"
    response.headers = { a = "b" }
    return response
  end,
  ["_error.lua"] = function(err)
    return spry.Response.text("sorry, " .. err.status, { status = err.status })
  end,
}

describe("a stream that raises", function()
  it("before anything has left is a 500, through the error file", function()
    local app <close> = temp_routes.app(files)
    for _, path in ipairs { "/early", "/events" } do
      local res = app:get(path)
      assert.equal(500, res.status, path)
      assert.equal("sorry, 500", res.body, path)
    end
    assert.matches("boom", table.concat(app.log, "\n"))
  end)

  it("later ends without its last chunk, and with the connection", function()
    local app <close> = temp_routes.app(files)
    local connection = app:connect()
    connection:send "GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n"
    app.clock:advance(2)
    assert.is_true(connection:closed())
    assert.matches("boom", table.concat(app.log, "\n"))
    connection:hangup()
  end)
end)

describe("headers replaced by a plain table", function()
  it("are an error that says what to do instead", function()
    local app <close> = temp_routes.app(files)
    assert.equal(500, app:get("/plain_headers").status)
    assert.matches("headers", table.concat(app.log, "\n"))
  end)
end)
