local framing = require "sprylua.workers.framing"

describe("framing", function()
  local messages = { { "publish", "news", "" }, { "" }, {}, { "\0\255", ("x"):rep(100000) }, { "end" } }
  local stream = ""
  for _, message in ipairs(messages) do stream = stream .. framing.encode(table.unpack(message)) end

  local function read_in_pieces(size)
    local reader, found = framing.reader(), {}
    for at = 1, #stream, size do
      reader:add(stream:sub(at, at + size - 1))
      for message in function() return reader:next() end do found[#found + 1] = message end
    end
    return found
  end

  it("gives back the messages of a stream, however it was cut", function()
    for _, size in ipairs { 1, 2, 3, 5, 7, 4096, #stream } do assert.same(messages, read_in_pieces(size)) end
  end)

  it("gives a message only when all of it has come", function()
    local reader, message = framing.reader(), framing.encode("a", "b")
    reader:add(message:sub(1, -2))
    assert.is_nil(reader:next())
    reader:add(message:sub(-1))
    assert.same({ "a", "b" }, reader:next())
    assert.is_nil(reader:next())
  end)

  it("can be read while a message of it is dealt with", function()
    local reader, found = framing.reader(), {}
    reader:add(stream)
    local function take()
      local message = reader:next()
      if not message then return end
      found[#found + 1] = message
      reader:add(stream:sub(1, #found > 1 and 0 or -1))
      take()
    end
    take()
    assert.equal(2 * #messages, #found)
  end)
end)
