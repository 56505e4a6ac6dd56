-- The memory that Lua gets in the program: a million blocks made, changed and dropped, in a program of its own.

local TRY = (os.getenv "SPRYLUA_BUILD" or "build") .. "/spec/try_blocks"

describe("small blocks of memory", function()
  it("belong to one at a time, and are as large as asked for", function()
    local pipe = assert(io.popen(TRY .. " 1 1000000 2>&1"))
    local output = pipe:read "a"
    assert.is_true(pipe:close(), output)
    assert.equal("1000000 steps\n", output)
  end)
end)
