-- The benchmarks run, and print what they say they print. How fast anything is, no spec asks.

-- With a search path of its own, so that it makes no difference whether lua-cjson is installed here.
local function run(lua_options, arguments)
  local command = "env LUA_CPATH='build/?.so' lua5.4 %s bench/json.lua %s 2>&1"
  local pipe = assert(io.popen(command:format(lua_options, arguments)))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return code or 0, output
end

describe("bench/json.lua", function()
  it("prints our figures alone without cjson, and which package has it", function()
    local code, output = run("", "2 0.001")
    assert.equal(0, code, output)
    assert.matches("^2 rounds, a document of %d+ bytes, MB/s\n", output)
    assert.matches("\nencode +[%d.]+\n", output)
    assert.matches("\ndecode +[%d.]+\n", output)
    assert.matches("install the package lua%-cjson\n$", output)
  end)

  it("prints both, and the ratio, with it", function()
    local code, output = run([[-e 'package.preload.cjson = function() return require "sprylua.json" end']], "1 0.001")
    assert.equal(0, code, output)
    assert.matches("\n +sprylua +cjson +ratio\n", output)
    for _, name in ipairs { "encode", "decode" } do
      assert.matches("\n" .. name .. " +[%d.]+ +[%d.]+ +%d+%.%d%d\n", output)
    end
  end)

  it("measures a document of about 10 KiB", function()
    local _, output = run("", "1 0.001")
    local bytes = tonumber(output:match "document of (%d+) bytes")
    assert.is_true(bytes > 9000 and bytes < 11500, output)
  end)

  it("refuses what it cannot use", function()
    for _, arguments in ipairs { "0", "x", "1.5", "1 0", "1 x", "-1" } do
      local code, output = run("", arguments)
      assert.equal(64, code, arguments)
      assert.matches("^usage: ", output)
    end
  end)
end)
