-- The benchmark kit works: every load gets its answers. How fast anything is, no spec asks.

local program = require "spec.support.program"

local function shell(command)
  local pipe = assert(io.popen("( " .. command .. "\n) 2>&1"))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return code or 0, output
end

-- The kit is built where the program under test was, with its sanitizers.
local function run(arguments, environment)
  local build = program.path:match "^(.*)/bin/[^/]+$"
  return shell(("env SPRYLUA_BIN='%s' SPRYLUA_BUILD='%s' %s timeout 120 bench/run %s"):format(program.path, build,
    environment or "", arguments))
end

local loads = require("bench.runner.loads").list

describe("bench/run", function()
  it("puts every load on sprylua and the ceiling, and prints a table of each", function()
    local code, output = run "--smoke -n sprylua,ceiling"
    assert.equal(0, code, output)
    for _, load in ipairs(loads) do
      for _, server in ipairs { "sprylua", "ceiling" } do
        local taken = output:find(("round 1: %s, %s\n"):format(load.name, server), 1, true) ~= nil
        assert.equal(load.only == nil or load.only[server] == true, taken, load.name)
      end
    end
    assert.matches("\n### hello: HTTP hello\n\n| server |", output, 1, true)
    assert.matches("\n### pauses\n\n| server | longest answer ms, 200 MB of records |", output, 1, true)
    assert.matches("\n### workers\n\n| answers a second | one worker | two | two x one |", output, 1, true)
    assert.is_nil(output:find("–", 1, true), output) -- a cell without a figure
    assert.matches("\n### start and memory\n", output, 1, true)
    assert.matches("\n### all loads: cpu x ceiling\n", output, 1, true)
  end)

  it("fails, and says why, when a load gets errors", function()
    local code, output = run("--smoke -n sprylua -w hello", "SPRYLUA_BIN=/bin/false")
    assert.equal(1, code, output)
    assert.matches("sprylua did not start", output)
    assert.matches("| sprylua | – |", output, 1, true)
  end)

  it("leaves out a server that is not there", function()
    local code, output = run("--smoke -n sprylua,ceiling -w hello", "SPRYLUA_BIN=/nowhere/sprylua")
    assert.equal(0, code, output)
    assert.matches("sprylua is left out: it needs /nowhere/sprylua", output, 1, true)
    assert.matches("| ceiling | ", output, 1, true)
  end)

  it("refuses what it does not know, and names what there is", function()
    local code, output = run "-n apache"
    assert.is_not.equal(0, code)
    assert.matches('there is no server "apache"; there are sprylua, ceiling, nginx-lua, node', output, 1, true)
    code, output = run "-w everything"
    assert.is_not.equal(0, code)
    assert.matches('there is no load "everything"; there are hello, ', output, 1, true)
    assert.is_not.equal(0, (run "-r 0"))
  end)

  it("ends what it has started when it is ended", function()
    local code, output = shell([[
      export SPRYLUA_BIN=]] .. program.path .. [[ SPRYLUA_BUILD=]] .. program.path:match "^(.*)/bin/" .. [[

      bench/run -n ceiling -w hello -s 30 -r 1 & runner=$!
      for i in $(seq 500); do
        children=$(cat /proc/$runner/task/$runner/children)
        set -- $children
        [ $# = 2 ] && [ -e /proc/$2/exe ] && break
        sleep 0.02
      done
      echo started $(echo $children | wc -w)
      kill -TERM $runner; wait $runner; echo code $?
      for i in $(seq 500); do
        left=0; for pid in $children; do [ -e /proc/$pid ] && left=1; done
        [ $left = 0 ] && break; sleep 0.02
      done
      echo left $left]])
    assert.equal(0, code)
    assert.matches("started 2\n.*code 143\nleft 0\n$", output)
  end)
end)
