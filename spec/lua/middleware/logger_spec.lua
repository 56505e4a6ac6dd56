local middleware = require "sprylua.middleware"
local spry = require "sprylua"
local temp_routes = require "spec.support.temp_routes"

describe("logger", function()
  local lines
  local function write(line)
    lines[#lines + 1] = line
  end

  before_each(function()
    lines = {}
  end)

  local function app_with(options)
    return temp_routes.app {
      ["api/_middleware.lua"] = middleware.logger(options),
      ["api/index.lua"] = function()
        spry.sleep(0.5)
        return "x"
      end,
      ["api/broken.lua"] = function() error(spry.HTTPError(503)) end,
      ["api/ws.lua"] = function(event)
        return event.ws:upgrade(function() end)
      end,
      ["index.lua"] = function() return "x" end,
    }
  end

  it("writes a line an answer of its folder, whatever became of it", function()
    local app <close> = app_with { write = write }
    app:get "/api?a=1"
    app:get "/"
    app:post "/api/broken"
    app:head "/api/none"
    assert(app:ws "/api/ws")
    assert.same({
      "GET /api?a=1 200 500.0ms", "POST /api/broken 503 0.0ms", "HEAD /api/none 404 0.0ms", "GET /api/ws 101 0.0ms",
    }, lines)
  end)

  it("writes among the server's messages", function()
    local app <close> = app_with()
    app:get "/api"
    assert.equal(1, #app.log)
    assert.matches(" info: GET /api 200 500.0ms$", app.log[1])
  end)

  it("has another format, which may leave a line out", function()
    local app <close> = app_with {
      write = write,
      format = function(event, response, seconds)
        if response.status >= 400 then
          return ("%s %d %.1f"):format(event.id, response.status, seconds)
        end
      end,
    }
    app:get "/api"
    app:get "/api/none"
    assert.equal(1, #lines)
    assert.matches("^%S+ 404 0.0$", lines[1])
  end)

  it("keeps a line one line, whatever a client put into it", function()
    local app <close> = app_with {
      write = write,
      format = function(event) return event.query:get "q" end,
    }
    app:get "/api?q=a%0d%0aforged%1b[31m%ff"
    assert.same({ "a\\r\\nforged\\x1b[31m\u{FFFD}" }, lines)
  end)

  it("refuses what it cannot call", function()
    assert.error_matches(function() middleware.logger { write = io.stdout } end, "write must be a function")
  end)
end)
