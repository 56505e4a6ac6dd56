local byteranges = require "sprylua.byteranges"

describe("byteranges", function()
  local list = { { first = 5, last = 9 }, { first = 0, last = 0 } }

  it("frames each range, in order", function()
    local pieces = byteranges.pieces(list, 100, "text/plain", "BOUND")
    assert.same({
      "--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-9/100\r\n\r\n", list[1],
      "\r\n--BOUND\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/100\r\n\r\n", list[2],
      "\r\n--BOUND--\r\n",
    }, pieces)
    assert.equal(#pieces[1] + 5 + #pieces[3] + 1 + #pieces[5], byteranges.length(pieces))
  end)

  it("says nothing of a type that there is not", function()
    local pieces = byteranges.pieces(list, 100, nil, "B")
    assert.equal("--B\r\nContent-Range: bytes 5-9/100\r\n\r\n", pieces[1])
  end)

  it("counts bytes", function()
    assert.equal(0, byteranges.length {})
    assert.equal(0, byteranges.length { { first = 0, last = -1 } })
    assert.equal(13, byteranges.length { "abc", { first = 10, last = 19 } })
  end)
end)
