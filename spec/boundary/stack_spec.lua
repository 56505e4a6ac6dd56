-- Stack discipline (rule 13): numbers that data decides, in both directions.
local sessions = require "spec.support.sessions"
local temp_routes = require "spec.support.temp_routes"

describe("many values", function()
  it("of headers, query and parameters come through", function()
    local app <close> = temp_routes.app({
      ["[a]/[b]/[c]/[d]/[e]/[f]/[g]/[h].lua"] = function(event)
        local headers, queries = 0, 0
        for _ in pairs(event.headers) do headers = headers + 1 end
        for _ in pairs(event.query) do queries = queries + 1 end
        return { headers = headers, queries = queries, a = event.params.a, h = event.params.h }
      end,
    }, { config = { limits = { headers = 65536, requestLine = 65536 } } })
    local headers, query = {}, {}
    for i = 1, 200 do
      headers["x-" .. i] = tostring(i)
      query[i] = "k" .. i .. "=v"
    end
    local result = app:get("/1/2/3/4/5/6/7/8?" .. table.concat(query, "&"), { headers = headers }):json()
    assert.same({ headers = 201, queries = 200, a = "1", h = "8" }, result)
  end)

  it("yielded or resumed by user code are dropped", function()
    local thread
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        thread = coroutine.running()
        local n = select("#", coroutine.yield(table.unpack({}, 1, 5000)))
        return tostring(n)
      end,
    }
    local connection = app:connect()
    connection:send "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert.is_true(coroutine.resume(thread, table.unpack({}, 1, 5000)))
    assert.equal("5000", connection:answer().body)
  end)

  it("returned by a handler: the first one counts", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function() return "first", table.unpack({}, 1, 1000) end,
    }
    assert.equal("first", app:get("/").body)
  end)

  it("returned by a session are dropped", function()
    local app <close> = sessions.app(function() return table.unpack({}, 1, 1000) end)
    assert.equal(1000, select(3, app:ws("/ws"):receive()))
  end)

  it("of response headers are written", function()
    local app <close> = temp_routes.app {
      ["index.lua"] = function()
        local headers = {}
        for i = 1, 500 do headers["x-" .. i] = tostring(i) end
        return require("sprylua").Response("x", { headers = headers })
      end,
    }
    local response = app:get "/"
    assert.equal("500", response.headers:get "x-500")
  end)
end)
