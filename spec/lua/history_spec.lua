local history = require "sprylua.history"

describe("a history", function()
  local function filled(count, messages, bytes)
    local kept = history.new(count, bytes or 1000)
    for i = 1, messages do kept:add("message " .. i, false) end
    return kept
  end

  it("is empty at first", function()
    local kept = history.new(5, 100)
    assert.same({ 1, 0, 0 }, { kept.first, kept.last, kept:find(kept:id()) })
    assert.matches("^%x+:0$", kept:id())
    assert.is_nil(kept:text(1))
    assert.is_nil(kept:json(0))
  end)

  it("has an epoch of its own", function()
    assert.not_equal(history.new(1, 1).epoch, history.new(1, 1).epoch)
    assert.equal(16, #history.new(1, 1).epoch)
  end)

  it("keeps the last ones", function()
    local kept = filled(3, 10)
    assert.same({ 8, 10 }, { kept.first, kept.last })
    assert.is_nil(kept:text(7))
    assert.equal("message 8", kept:text(8))
    assert.equal('"message 8"', kept:json(8))
    kept:add('{"a":1}', true)
    assert.equal('{"a":1}', kept:json(11))
    assert.equal(kept.epoch .. ":11", kept:id())
    assert.equal(kept.epoch .. ":9", kept:id(9))
  end)

  it("finds an id as long as everything behind it is kept", function()
    local kept = filled(3, 10)
    local function find(offset) return kept:find(kept.epoch .. ":" .. offset) end
    assert.same({ 7, 8, 10 }, { find(7), find(8), find(10) })
    for _, offset in ipairs { 6, 0, 11, "99999999999999999999", "-1", "1e1", "", " 8" } do
      assert.is_nil(find(offset))
    end
    for _, other in ipairs { "", ":", "8", kept.epoch, "ffff:8", kept.epoch .. "0:8", 8, true, {} } do
      assert.is_nil(kept:find(other))
    end
    assert.is_nil(history.new(3, 1000):find(kept:id()))
  end)

  it("gives nothing again to who has seen more than there is here", function()
    local kept = filled(3, 10)
    local function resume(offset) return { kept:resume(kept.epoch .. ":" .. offset) } end
    assert.same({ true, 10 }, resume(10))
    assert.same({ false, 7 }, resume(6))
    assert.same({ false, 10 }, resume(11))
    assert.same({ false, 10 }, resume "99999999999999999999")
    assert.same({ false, 7 }, { kept:resume "ffff:11" })
    assert.is_false(kept:is_ahead "ffff:11")
    assert.is_false(kept:is_ahead(nil))
  end)

  it("is bounded in bytes too, and may be bounded otherwise later", function()
    local kept = filled(100, 9, 50)
    assert.same({ 5, 9 }, { kept.first, kept.last }) -- 9 bytes each
    kept:add(("x"):rep(51), false)
    assert.same({ 11, 10, 0 }, { kept.first, kept.last, kept.size })
    kept:resize(2, 1000)
    for _ = 1, 5 do kept:add("", false) end
    assert.same({ 14, 15 }, { kept.first, kept.last })
    kept:resize(1, 1)
    assert.equal(15, kept.first)
  end)

  it("holds on to nothing that is gone", function()
    local kept = filled(10, 1000)
    local count = 0
    for _ in pairs(kept.texts) do count = count + 1 end
    assert.equal(10, count)
  end)
end)
