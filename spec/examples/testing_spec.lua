-- The specs of examples/testing are run as their author would run them: by busted, in their own folder.

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function shell(command)
  local pipe = assert(io.popen(command .. " 2>&1", "r"))
  local text = pipe:read "a"
  local ok, _, code = pipe:close()
  return ok and 0 or code, text
end

describe("examples/testing", function()
  it("passes its own specs, in its own folder", function()
    local command = ("cd examples/testing && LUA_PATH=%s LUA_CPATH=%s busted --lua=lua5.4 -o plainTerminal"):format(
      quoted "../../lua/?.lua;../../lua/?/init.lua;;", quoted "../../build/?.so;;")
    local code, text = shell(command)
    assert.equal(0, code, text)
    assert.matches("5 successes / 0 failures / 0 errors", text)
  end)
end)
