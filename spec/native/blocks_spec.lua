-- The memory that Lua gets in the program: blocks made, changed and dropped millions of times, in a program of its own.

local TRY = (os.getenv "SPRYLUA_BUILD" or "build") .. "/spec/try_blocks"

describe("small blocks of memory", function()
  it("belong to one at a time, and are as large as asked for", function()
    local pipe = assert(io.popen(TRY .. " 1 1500000 2>&1"))
    local output = pipe:read "a"
    assert.is_true(pipe:close(), output)
    assert.equal("1500000 steps\n", output)
  end)
end)
