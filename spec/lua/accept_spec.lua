local accept = require "sprylua.accept"

describe("accept.parse", function()
  it("reads names and weights", function()
    assert.same({ gzip = 1, br = 0.5, ["*"] = 0, compress = 0.125 },
      accept.parse "gzip, br;q=0.5,*;q=0 ,compress;q=0.125")
  end)

  it("knows no case, and the old name of gzip", function()
    assert.same({ gzip = 0.3, br = 1 }, accept.parse "X-GZip;Q=0.3, BR")
  end)

  it("takes spaces wherever RFC 9110 does, other parameters and empty items", function()
    assert.same({ a = 0.5, b = 1, c = 0.2 }, accept.parse ",, \ta \t;\t q=0.5 ,b,, c;level=1;q=0.2;x=y,")
  end)

  it("takes weights from 0 to 1 with three digits, and leaves out what has another", function()
    assert.same({ a = 0, b = 1, c = 1, d = 0, e = 0.999 },
      accept.parse "a;q=0.000, b;q=1.000, c;q=1., d;q=0, e;q=0.999")
    for _, q in ipairs {
      "", "2", "-1", "1.001", "0.1234", "1e0", "abc", ".5", "nan", "0x1", "inf", "1 1", "01", "10", "1.5",
    } do
      assert.same({ b = 1 }, accept.parse(("a;q=%s, b"):format(q)), q)
    end
  end)

  it("lets the first of two count", function()
    assert.same({ a = 0 }, accept.parse "a;q=0, A;q=1")
  end)

  it("has nothing for an empty list, and takes a long one", function()
    assert.same({}, accept.parse "")
    assert.same({}, accept.parse ";q=1, ;, \t")
    assert.same({ x = 1 }, accept.parse(("x,"):rep(100000)))
    assert.same({ x = 1 }, accept.parse("x" .. (";a"):rep(100000)))
  end)
end)

describe("accept.encoding", function()
  local OFFERED = { "br", "gzip" }

  local cases = {
    { nil, nil }, { "", nil }, { "deflate", nil }, { "identity", nil },
    { "gzip", "gzip" }, { "br", "br" }, { "gzip, deflate, br", "br" }, { "gzip, br;q=0.9", "gzip" },
    { "GZIP;q=0.8, Br;Q=0.8", "br" }, { "x-gzip", "gzip" },
    { "*", "br" }, { "*;q=0.1", "br" }, { "*;q=0", nil }, { "gzip;q=0.5, *", "br" }, { "br;q=0, *", "gzip" },
    { "br;q=0, *;q=0.5", "gzip" }, { "gzip;q=0.5, *;q=0", "gzip" },
    { "gzip;q=0", nil }, { "gzip;q=0.000, br;q=0", nil },
    { "identity, gzip;q=0.5", nil }, { "identity;q=0.5, gzip;q=0.1, br;q=0.7", "br" }, { "identity, gzip", "gzip" },
    { "identity;q=0.5, *;q=0.4", nil }, { "identity;q=0, gzip;q=0.001", "gzip" }, { "identity;q=0", nil },
    { "*, identity;q=0", "br" }, { "gzip;q=oops", nil }, { "gzipped, xbr", nil },
  }
  for _, case in ipairs(cases) do
    it(("makes %s of %s"):format(tostring(case[2]), case[1] and ("%q"):format(case[1]) or "no header"), function()
      assert.equal(case[2], accept.encoding(case[1], OFFERED))
    end)
  end

  it("offers only what can be made", function()
    assert.equal("gzip", accept.encoding("br, gzip;q=0.1", { "gzip" }))
    assert.is_nil(accept.encoding("br, gzip", {}))
  end)
end)
