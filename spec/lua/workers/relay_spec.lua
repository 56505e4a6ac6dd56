local backbone = require "sprylua.backbone"
local records = require "sprylua.topic_record"
local relay = require "sprylua.workers.relay"

-- A worker that keeps what it is sent.
local function worker_of(server)
  local sent = {}
  local link = {
    send = function(_, ...) sent[#sent + 1] = table.pack(...) end,
    put = function() end, listen = function() end,
    is_pressed = function() return false end,
    waiting = function() return 0 end,
  }
  local worker = { state = "serving", link = link, sent = sent }
  server:add(worker)
  return worker
end

describe("a relay", function()
  local server, worker, record

  before_each(function()
    server = relay.new()
    worker = worker_of(server)
    server:heard(worker, "declare", "long", "100000", "1000000")
    record = records.declare("long", 100000, 1000000)
  end)

  after_each(function()
    records.all().long = nil
  end)

  local function restored_by(sent)
    for _, message in ipairs(sent) do
      assert.equal("restore", message[1])
      assert.is_true(message.n < 5000)
      backbone.heard(table.unpack(message, 1, message.n))
    end
    return record.history
  end

  it("gives a worker that comes later a long history in parts", function()
    for i = 1, 12345 do server:heard(worker, "append", "long", "", tostring(i), "1") end
    local later = worker_of(server)
    server:heard(later, "declare", "long", "100000", "1000000")
    local kept = restored_by(later.sent)
    assert.same({ 1, 12345 }, { kept.first, kept.last })
    for i = 1, 12345 do assert.equal(tostring(i), kept:text(i)) end
    restored_by(later.sent) -- once more, from the beginning
    assert.same({ 1, 12345, "1" }, { kept.first, kept.last, kept:text(1) })
  end)

  it("tells it of one that is empty", function()
    local kept = restored_by(worker.sent)
    assert.same({ 1, 0, worker.sent[1][3] }, { kept.first, kept.last, kept.epoch })
  end)
end)
