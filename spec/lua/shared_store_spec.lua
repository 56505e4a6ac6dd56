local clock = require "sprylua.clock"
local shared_store = require "sprylua.shared_store"

describe("the store of shared tables", function()
  local manual, before

  before_each(function()
    manual = clock.manual()
    before = clock.use(manual)
  end)

  after_each(function() clock.use(before) end)

  it("does not grow by what has expired and nobody asks for", function()
    local store = shared_store.new()
    for i = 1, 10000 do
      store:set("t", tostring(i), "v", 1)
      manual:advance(0.01)
    end
    assert.is_true(store.size < 1000)
  end)

  it("keeps what has not", function()
    local store = shared_store.new()
    for i = 1, 1000 do store:set("t", tostring(i), "v", 100) end
    for i = 1, 1000 do assert.equal("v", store:get("t", tostring(i))) end
    store:set("t", "1", nil)
    assert.equal(999, store.size)
    assert.is_nil(store:get("t", "1"))
  end)
end)
