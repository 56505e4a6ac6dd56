local framing = require("sprylua.core").framing

describe("framing", function()
  local messages = { { "publish", "news", "" }, { "" }, { "\0\255", ("x"):rep(100000) }, { "end" } }
  local stream = ""
  for _, message in ipairs(messages) do stream = stream .. framing.encode(table.unpack(message)) end

  local function read_in_pieces(size)
    local reader, found = framing.reader(), {}
    for at = 1, #stream, size do
      reader:add(stream:sub(at, at + size - 1))
      while true do
        local message = table.pack(reader:next())
        if message.n == 0 then break end
        message.n = nil
        found[#found + 1] = message
      end
    end
    return found
  end

  it("gives back the messages of a stream, however it was cut", function()
    for _, size in ipairs { 1, 2, 3, 5, 7, 4096, #stream } do assert.same(messages, read_in_pieces(size)) end
  end)

  it("gives a message only when all of it has come", function()
    local reader, message = framing.reader(), framing.encode("a", "b")
    reader:add(message:sub(1, -2))
    assert.equal(0, select("#", reader:next()))
    reader:add(message:sub(-1))
    assert.same({ "a", "b" }, { reader:next() })
    assert.equal(0, select("#", reader:next()))
  end)

  it("gives the rest in order while more comes", function()
    local reader, count = framing.reader(), 0
    local one = framing.encode(("y"):rep(1000))
    for _ = 1, 1000 do
      reader:add(one .. one)
      assert.equal(("y"):rep(1000), reader:next())
      count = count + 1
    end
    while reader:next() do count = count + 1 end
    assert.equal(2000, count)
  end)

  it("gives no more of a message than there is when its strings don't fit", function()
    local reader = framing.reader()
    reader:add(string.pack("<s4", string.pack("<s4", "whole") .. string.pack("<I4", 7) .. "short"))
    reader:add(framing.encode "next")
    assert.same({ "whole" }, { reader:next() })
    assert.same({ "next" }, { reader:next() })
  end)

  it("takes strings only, and is a reader's own", function()
    assert.error_matches(function() framing.encode("a", {}) end, "string expected")
    assert.error_matches(function() framing.reader():add() end, "string expected")
    assert.error_matches(function() framing.reader().next {} end, "reader expected")
  end)
end)
