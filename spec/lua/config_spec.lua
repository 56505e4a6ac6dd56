local config = require "sprylua.config"

local function written(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  finally(function() os.remove(path) end)
  return path
end

local function problems_of(settings)
  local ok, problems = config.complete(settings)
  assert.is_nil(ok)
  return problems
end

describe("config", function()
  it("has the documented defaults", function()
    local c = assert(config.load())
    assert.same({
      host = "127.0.0.1", port = 4000, workers = 1,
      limits = {
        requestLine = 8192, headers = 16384, body = 1048576, headerTimeout = 10, bodyTimeout = 30, idleTimeout = 60,
        requestTimeout = 60, connections = 10000, cpuTime = 5,
      },
      ws = {
        maxMessage = 1048576, maxBuffered = 1048576, onSlow = "close", pingInterval = 25, deadAfter = 60,
        compress = false,
      },
      shutdownTimeout = 10,
      health = false,
    }, c)
  end)

  it("gives everyone a table of their own", function()
    config.load().limits.body = 1
    assert.equal(1048576, config.load().limits.body)
  end)

  describe("file", function()
    it("is merged over the defaults, deep", function()
      local c = assert(config.load(written "return { port = 80, limits = { body = 5 }, ws = { origins = '*' } }"))
      assert.equal(80, c.port)
      assert.equal(5, c.limits.body)
      assert.equal(16384, c.limits.headers)
      assert.equal("*", c.ws.origins)
      assert.equal(25, c.ws.pingInterval)
    end)

    it("is named in what is wrong with it", function()
      local path = written "return { prot = 80 }"
      local c, message, fault = config.load(path)
      assert.is_nil(c)
      assert.equal(path .. ": unknown key prot (did you mean port?)", message)
      assert.equal("config", fault)
    end)

    it("may have a syntax error, raise, or return nothing", function()
      for _, text in ipairs { "return {", "error 'boo'", "error({})", "local t = {}", "return 7" } do
        local path = written(text)
        local c, message, fault = config.load(path)
        assert.is_nil(c)
        assert.equal("config", fault)
        assert.truthy(message:find(path, 1, true), message)
      end
      local _, message = config.load "/nonexistent/sprylua.config.lua"
      assert.truthy(message:find "/nonexistent/sprylua.config.lua")
    end)

    it("is told all that is wrong at once, a line each", function()
      local _, message = config.load(written "return { port = '80', nonsense = 1, ws = { onSlow = 'wait' } }")
      local _, breaks = message:gsub("\n", "")
      assert.equal(2, breaks)
    end)
  end)

  describe("unknown key", function()
    it("comes with the nearest known one", function()
      assert.same({ "unknown key limits.bdoy (did you mean limits.body?)" }, problems_of { limits = { bdoy = 1 } })
    end)

    it("may stand on the wrong level", function()
      assert.same({ "unknown key body (did you mean limits.body?)" }, problems_of { body = 1 })
      assert.same({ "unknown key limits.port (did you mean port, outside limits?)" },
        problems_of { limits = { port = 1 } })
    end)

    it("comes alone when nothing is near", function()
      assert.same({ "unknown key zzzzzz" }, problems_of { zzzzzz = 1 })
    end)

    it("may have no name at all", function()
      assert.same({ 'a value without a name: [1] = "x"' }, problems_of { "x" })
    end)
  end)

  it("checks types and ranges", function()
    local wrong = {
      { port = "4000" }, { port = 1.5 }, { port = -1 }, { port = 65536 }, { host = "" }, { host = "a b" },
      { host = 1 }, { workers = 0 }, { workers = 257 }, { workers = "all" }, { limits = 1 }, { limits = { body = -1 } },
      { limits = { body = 1.5 } }, { limits = { headers = 0 } }, { limits = { headerTimeout = 0 } },
      { limits = { idleTimeout = 0 / 0 } }, { limits = { idleTimeout = math.huge } },
      { limits = { connections = 0 } }, { limits = { memory = "1G" } }, { ws = { origins = "https://a" } },
      { ws = { origins = { 1 } } }, { ws = { origins = { a = "b" } } }, { ws = { onSlow = "x" } },
      { ws = { compress = 1 } }, { ws = { compress = { threshold = -1 } } }, { limits = { cpuTime = 0 } },
      { limits = { cpuTime = true } },
      { limits = { memory = 0 } }, { shutdownTimeout = -1 }, { redis = "http://127.0.0.1" }, { redis = 1 },
    }
    for i, settings in ipairs(wrong) do
      local ok, problems = config.complete(settings)
      assert.is_nil(ok, "number " .. i)
      assert.equal(1, #problems)
    end
  end)

  it("takes a whole number however it is written, up to a bound that it names", function()
    local ws = { maxMessage = 2 ^ 20, compress = { threshold = 1e3 } }
    local complete = assert(config.complete { port = 8e3, ws = ws })
    assert.equal("8000 1048576", complete.port .. " " .. complete.ws.maxMessage)
    assert.same({ "ws.maxBuffered must be a whole number of bytes from 1 to 1099511627776, not 1e+20" },
      problems_of { ws = { maxBuffered = 1e20 } })
    assert.same({ "limits.connections must be a whole number from 1 to 2147483648, not 0" },
      problems_of { limits = { connections = 0 } })
  end)

  it("says what is wrong inside ws.compress", function()
    for sentence, compress in pairs {
      ["ws.compress: it must be true, false, or a table such as { threshold = 1024 }"] = "yes",
      ["ws.compress: it must be a table in which threshold is a whole number from 0 to 1099511627776"] =
        { threshold = 1.5 },
      ["ws.compress: it must be a table in which windowBits is a whole number from 9 to 15"] = { windowBits = 8 },
      ["ws.compress: it must be a table in which contextTakeover is true or false"] = { contextTakeover = 1 },
      ["ws.compress: it must be a table of threshold, contextTakeover and windowBits, without level"] = { level = 1 },
    } do
      assert.same({ sentence }, problems_of { ws = { compress = compress } })
    end
  end)

  it("takes secrets of 32 bytes, and says none of them", function()
    local long, short = ("k"):rep(32), "tell nobody"
    assert.same({ long }, config.complete({ secrets = { long } }).secrets)
    for _, secrets in ipairs {
      short, {}, { short }, { long, short }, { 1 }, { [2] = long }, { key = long }, true, 1e9,
    } do
      local problems = problems_of { secrets = secrets }
      assert.equal(1, #problems)
      assert.matches("^secrets: .*32.*openssl rand", problems[1])
      assert.is_nil(problems[1]:find(short, 1, true))
      assert.is_nil(problems[1]:find(long, 1, true))
    end
    assert.matches("number 2 has 11 bytes", problems_of({ secrets = { long, short } })[1])
  end)

  it("takes what is at the edge of the ranges", function()
    assert(config.complete { port = 0, shutdownTimeout = 0,
      limits = { body = 0, idleTimeout = 0.5, cpuTime = 0.001, memory = 1 << 30 } })
    assert(config.complete { workers = 256 })
    assert(config.complete { workers = "auto", limits = { cpuTime = false }, ws = { compress = false } })
    assert(config.complete { ws = { compress = true } })
    assert(config.complete { ws = { compress = { threshold = 0, contextTakeover = true, windowBits = 9 } } })
    assert(config.complete { port = 65535, host = "::1", ws = { origins = {} } })
  end)

  describe("flags and environment", function()
    local path

    before_each(function()
      path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write "return { host = '10.0.0.1', port = 1 }"
      file:close()
    end)

    after_each(function() os.remove(path) end)

    it("come in the documented order", function()
      assert.equal(1, config.load(path).port)
      assert.equal(2, config.load(path, {}, { PORT = "2" }).port)
      assert.equal(3, config.load(path, {}, { PORT = "2", SPRYLUA_PORT = "3" }).port)
      assert.equal(4, config.load(path, { port = "4" }, { PORT = "2", SPRYLUA_PORT = "3" }).port)
      assert.equal("10.0.0.1", config.load(path).host)
      assert.equal("::1", config.load(path, {}, { HOST = "::1" }).host)
      assert.equal("0.0.0.0", config.load(path, { host = "0.0.0.0" }, { SPRYLUA_HOST = "::1" }).host)
    end)

    it("leave out variables that are empty", function()
      assert.equal(1, config.load(path, {}, { PORT = "", SPRYLUA_PORT = "" }).port)
    end)

    it("are named when they are wrong, and are the caller's fault", function()
      for _, text in ipairs { "abc", "-1", "65536", "4e3", "0x10", " 80", "99999999999999999999" } do
        local c, message, fault = config.load(path, {}, { SPRYLUA_PORT = text })
        assert.is_nil(c)
        assert.equal("usage", fault)
        assert.truthy(message:find("SPRYLUA_PORT must be", 1, true))
        _, message, fault = config.load(path, { port = text })
        assert.equal("usage", fault)
        assert.truthy(message:find("--port must be", 1, true))
      end
    end)

    it("have secrets, separated by commas", function()
      local a, b, c = ("a"):rep(32), ("b"):rep(32), ("c"):rep(32)
      local file = written(("return { secrets = { %q } }"):format(c))
      assert.same({ c }, config.load(file, {}, {}).secrets)
      assert.same({ a }, config.load(file, {}, { SPRYLUA_SECRETS = a }).secrets)
      assert.same({ a, b }, config.load(file, {}, { SPRYLUA_SECRETS = (" %s ,\n%s\n"):format(a, b) }).secrets)
      assert.same({ c }, config.load(file, {}, { SPRYLUA_SECRETS = "" }).secrets)
      for _, text in ipairs { "hush", a .. ",hush", a .. ",", ",", a .. ",," .. b } do
        local settings, message, fault = config.load(file, {}, { SPRYLUA_SECRETS = text })
        assert.is_nil(settings)
        assert.equal("usage", fault)
        assert.matches("^SPRYLUA_SECRETS: number %d has %d bytes", message)
        assert.is_nil(message:find("hush", 1, true))
      end
    end)

    it("say how many workers there are", function()
      assert.equal(1, config.load(path).workers)
      assert.equal(4, config.load(path, { workers = "4" }).workers)
      assert.equal("auto", config.load(path, {}, { SPRYLUA_WORKERS = "auto" }).workers)
      local _, message, fault = config.load(path, { workers = "many" })
      assert.equal("usage", fault)
      assert.equal('--workers must be a whole number from 1 to 256, or "auto", not "many"', message)
    end)
  end)
end)
