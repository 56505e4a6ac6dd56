-- Topics whose messages make a round through something else before they are delivered: whom a message is not for is
-- kept meanwhile, and not for longer.

local backbone = require "sprylua.backbone"
local records = require "sprylua.topic_record"

describe("a message that makes a round", function()
  local sent, record

  before_each(function()
    sent = {}
    backbone.carry("append", function(...) sent[#sent + 1] = { ... } end)
    record = records.declare("round", 5, 1000)
  end)

  after_each(function()
    backbone.carry("append", nil)
    records.all().round = nil
  end)

  -- It comes back, as the n-th.
  local function returns(message, n)
    backbone.heard("appended", "round", "epoch", tostring(n), message[2], message[3], message[4])
  end

  -- Publishes for all but somebody who is then forgotten.
  local function publish()
    local somebody = {}
    record:publish("x", false, somebody)
    return setmetatable({ somebody = somebody }, { __mode = "v" })
  end

  local function is_kept(weak)
    collectgarbage()
    collectgarbage()
    return weak.somebody ~= nil
  end

  it("does not keep who has ended", function()
    local weak = publish()
    assert.is_false(is_kept(weak))
    assert.equal(1, #sent)
  end)

  it("is delivered, whatever became of those before it and of its token", function()
    for _ = 1, 3 do record:publish("x", false) end
    returns(sent[3], 1)
    for i, token in ipairs { "", "x", "-1", "1e300", "99999999999999", "9223372036854775807" } do
      returns({ "round", "", "y", token }, i + 1)
    end
    assert.equal(7, record.history.last)
    record:publish("z", false)
    returns(sent[4], 8)
    assert.equal(8, record.history.last)
  end)
end)
