local ranges = require "sprylua.ranges"

describe("ranges", function()
  local function parse(field, size)
    local list = ranges.parse(field, size or 10000)
    if not list then
      return "ignored"
    end
    local texts = {}
    for i, range in ipairs(list) do
      texts[i] = range.first .. "-" .. range.last
    end
    return table.concat(texts, " ")
  end

  it("reads the examples of RFC 9110, section 14.1.2", function()
    assert.equal("0-499", parse "bytes=0-499")
    assert.equal("500-999", parse "bytes=500-999")
    assert.equal("9500-9999", parse "bytes=-500")
    assert.equal("9500-9999", parse "bytes=9500-")
    assert.equal("0-0 9999-9999", parse "bytes=0-0,-1")
    assert.equal("0-999 4500-5499 9000-9999", parse "bytes= 0-999, 4500-5499, -1000")
    assert.equal("500-600 601-999", parse "bytes=500-600,601-999")
    assert.equal("500-700 601-999", parse "bytes=500-700,601-999")
  end)

  it("cuts at the end, however large the numbers", function()
    assert.equal("0-9999", parse "bytes=0-99999")
    assert.equal("0-9999", parse "bytes=-99999")
    assert.equal("1-9999", parse("bytes=1-" .. ("9"):rep(400)))
    assert.equal("0-9999", parse("bytes=-" .. ("9"):rep(400)))
    assert.equal("", parse(("bytes=%s-"):format(("9"):rep(400))))
    assert.equal("5-9", parse("bytes=0000000000000000000005-9"))
  end)

  it("leaves out what is not there", function()
    assert.equal("", parse "bytes=10000-")
    assert.equal("", parse "bytes=-0")
    assert.equal("", parse "bytes=20000-30000, 10000-10000")
    assert.equal("5-6", parse "bytes=20000-30000, 5-6, -0")
    assert.equal("", parse("bytes=0-0", 0))
    assert.equal("ignored", parse("bytes=-5", 0)) -- all of nothing
  end)

  it("ignores what is malformed, and other units", function()
    for _, field in ipairs {
      "", "bytes", "bytes=", "bytes= , ", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=1-2-3", "bytes=1-2 3-4",
      "bytes=0x1-2",
      "bytes=-1-", "bytes=+1-2", "bytes=1.0-2", "bytes:0-1", "lines=0-1", "bytes =0-1", " bytes=0-1", "bytes=0-1;q=1",
      "bytes=0-1,5-2", "bytes=1 - 2", "bytes=0-1\0",
    } do
      assert.equal("ignored", parse(field), field)
    end
    assert.equal("0-1 3-4", parse "BYTES=,0-1\t, ,3-4,")
  end)

  it("ignores what only makes work", function()
    local sixteen = {}
    for i = 1, 16 do
      sixteen[i] = i * 10 .. "-" .. i * 10 + 1
    end
    local text = "bytes=" .. table.concat(sixteen, ",")
    assert.not_equal("ignored", parse(text))
    assert.equal("ignored", parse(text .. ",900-901"))
    assert.equal("ignored", parse("bytes=" .. ("0-,"):rep(16)))
    assert.equal("ignored", parse "bytes=0-,0-0")
    assert.equal("ignored", parse "bytes=0-5,0-5,0-5")
    assert.equal("0-5 5-9 9-20", parse "bytes=0-5,5-9,9-20")
    assert.equal("ignored", parse "bytes=0-5,5-9,9-20,20-22")
    assert.equal("9000-9999 0-8999", parse "bytes=9000-,0-8999")
  end)

  it("writes Content-Range", function()
    assert.equal("bytes 5-9/100", ranges.describe({ first = 5, last = 9 }, 100))
  end)
end)
