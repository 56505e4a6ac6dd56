-- LUA_ERRMEM is a failed request, not a dead process (rule 14): the same exchanges with an allocator that fails for
-- good from the n-th allocation on, for every n that matters. In an interpreter of its own, since the allocator is
-- replaced under it.

local function run()
  local command = "LD_PRELOAD=build/spec/faulty.so LUA_CPATH='build/?.so;build/spec/?.so' "
    .. "lua5.4 spec/support/faulty_run.lua 2>&1"
  local pipe = assert(io.popen(command))
  local output = pipe:read "a"
  assert(pipe:close(), output)
  local result, unreported = output:gsub("error: memory is out, [^\n]*\n", "")
  local tally = assert(load(result, "=faulty_run", "t", {}))()
  tally.unreported = unreported
  return tally
end

describe("memory that runs out", function()
  local tally = run()

  it("never ends the process, whatever allocation fails first", function()
    assert.is_true(tally.tries > 100, "tries: " .. tally.tries)
  end)

  it("leaves no connection, session, task or topic behind", function()
    assert.same({ 0, 0, 0 }, { tally.connections, tally.sessions, tally.tasks })
    assert.same({ 0, 0 }, { tally.topics, tally.subscriptions })
  end)

  it("is a 503 as long as there is memory for one", function()
    assert.is_true(tally["503"] > 0)
  end)

  it("leaves a line on stderr when nobody can be told of it", function()
    assert.is_true(tally.unreported > 0)
  end)

  it("makes a function raise or be right", function()
    assert.is_true(tally.calls > 20, "calls: " .. tally.calls)
    assert.is_nil(tally.wrong)
  end)

  it("does not disturb the next request", function()
    -- Of each exchange the last try, in which nothing failed, and one more without any limit.
    assert.is_true(tally["200"] >= 8 and tally["201"] >= 2 and tally["500"] >= 2 and tally["101"] >= 4)
  end)
end)
