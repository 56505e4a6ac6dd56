-- Lua's small blocks in slabs: a million things done to them in random order, in a program of its own.

local FUZZ = (os.getenv "SPRYLUA_BUILD" or "build") .. "/spec/fuzz_allocator"

describe("the allocator", function()
  it("keeps every block whole and apart from the others, and uses again what is given back", function()
    local pipe = assert(io.popen(FUZZ .. " 1 1000000 2>&1"))
    local output = pipe:read "a"
    assert.is_true(pipe:close(), output)
    assert.matches("^1000000 things, right", output)
    -- All 20,000 blocks at once are 2 MB.
    if not FUZZ:find "asan" then assert.is_true(tonumber(output:match "at most (%d+)") < 8 * 1024, output) end
  end)
end)
