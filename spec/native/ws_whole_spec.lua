-- Messages that go past wslay's parser, and the same ones that go through it: thousands of inputs, right and wrong, in
-- one piece, byte by byte, and as a reader takes them, in a program of its own.

local FUZZ = (os.getenv "SPRYLUA_BUILD" or "build") .. "/spec/fuzz_ws"

local function run(...)
  local pipe = assert(io.popen(table.concat({ FUZZ, ... }, " ") .. " 2>&1"))
  local output = pipe:read "a"
  local ok = pipe:close()
  return ok, output
end

describe("a whole message", function()
  it("is the same as one that came in pieces, whatever is around it", function()
    local ok, output = run(1, 20000)
    assert.is_true(ok, output)
    assert.matches("^20000 inputs, %d+ bytes", output)
  end)
end)
