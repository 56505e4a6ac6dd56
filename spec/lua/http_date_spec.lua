local http_date = require "sprylua.http_date"

describe("http_date.format", function()
  it("writes the form of RFC 9110's own example", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", http_date.format(784111777))
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", http_date.format(0))
    assert.equal("Thu, 29 Feb 2024 23:59:59 GMT", http_date.format(1709251199))
  end)

  it("leaves fractions out", function()
    assert.equal("Thu, 01 Jan 1970 00:00:01 GMT", http_date.format(1.99))
    assert.equal("Wed, 31 Dec 1969 23:59:59 GMT", http_date.format(-0.5))
  end)

  it("has four digits for the year, or nothing", function()
    assert.equal("Fri, 31 Dec 9999 23:59:59 GMT", http_date.format(253402300799))
    for _, seconds in ipairs { 253402300800, -62167219201, math.maxinteger, math.mininteger, math.huge, 0 / 0 } do
      assert.is_nil(http_date.format(seconds))
    end
  end)
end)

describe("http_date.parse", function()
  it("reads all three forms", function()
    assert.equal(784111777, http_date.parse "Sun, 06 Nov 1994 08:49:37 GMT")
    assert.equal(784111777, http_date.parse("Sunday, 06-Nov-94 08:49:37 GMT", 784111777))
    assert.equal(784111777, http_date.parse "Sun Nov  6 08:49:37 1994")
    assert.equal(784975777, http_date.parse "Wed Nov 16 08:49:37 1994")
  end)

  it("reads what format wrote", function()
    for _, seconds in ipairs {
      -62167219200, -1, 0, 68169600, 951782400, 951868800, 1e9 // 1, 1709251199, 4107542400, 253402300799,
    } do
      assert.equal(seconds, http_date.parse(http_date.format(seconds)))
    end
  end)

  it("takes a year of two digits as at most 50 years ahead", function()
    local function year(short, now)
      return os.date("!%Y", http_date.parse(("Sunday, 06-Nov-%s 08:49:37 GMT"):format(short), now))
    end
    local in_2026, in_1999 = 1767268800, 920000000
    assert.equal("2026", year("26", in_2026))
    assert.equal("2076", year("76", in_2026))
    assert.equal("1977", year("77", in_2026))
    assert.equal("1999", year("99", in_2026))
    assert.equal("2000", year("00", in_1999))
    assert.equal("1950", year("50", in_1999))
    assert.equal("2049", year("49", in_1999))
  end)

  it("takes a leap second", function()
    assert.equal(http_date.parse "Sun, 01 Jan 2017 00:00:00 GMT", http_date.parse "Sat, 31 Dec 2016 23:59:60 GMT")
  end)

  it("knows the lengths of months", function()
    assert.is_number(http_date.parse "Tue, 29 Feb 2000 00:00:00 GMT")
    assert.is_nil(http_date.parse "Thu, 29 Feb 1900 00:00:00 GMT")
    assert.is_nil(http_date.parse "Wed, 29 Feb 2023 00:00:00 GMT")
    assert.is_nil(http_date.parse "Fri, 31 Apr 2023 00:00:00 GMT")
  end)

  it("refuses everything else", function()
    for _, text in ipairs {
      "", "0", "now", "784111777", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
      "sun, 06 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nob 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
      "Sun Nov    08:49:37 1994", "Sun Nov 6 08:49:37 1994", "Sun Nov  0 08:49:37 1994",
      "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT\0",
      ("Sun, "):rep(1000),
    } do
      assert.is_nil(http_date.parse(text), text)
    end
  end)
end)
