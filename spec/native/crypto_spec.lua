-- core.crypto: the vectors of FIPS 180, RFC 4231 and RFC 4648, and what else may be handed to it.
local crypto = require("sprylua.core").crypto

local function hex(bytes)
  return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

describe("crypto.sha256", function()
  it("gives what FIPS 180-4 says", function()
    for data, digest in pairs {
      [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      ["abc"] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"] =
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      [("a"):rep(1000000)] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    } do
      assert.equal(digest, hex(crypto.sha256(data)))
    end
  end)

  it("takes strings alone", function()
    assert.error(function() crypto.sha256() end)
    assert.error(function() crypto.sha256 {} end)
  end)
end)

describe("crypto.hmac", function()
  -- RFC 4231, test cases 1 to 4, 6 and 7.
  local cases = {
    { ("\x0b"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { ("\xaa"):rep(20), ("\xdd"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "\1\2\3\4\5\6\7\8\9\10\11\12\13\14\15\16\17\18\19\20\21\22\23\24\25", ("\xcd"):rep(50),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { ("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { ("\xaa"):rep(131), "This is a test using a larger than block-size key and a larger than block-size data. "
      .. "The key needs to be hashed before being used by the HMAC algorithm.",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
  }
  for i, case in ipairs(cases) do
    it("gives what RFC 4231 says, number " .. i, function()
      assert.equal(case[3], hex(crypto.hmac(case[1], case[2])))
    end)
  end

  it("takes keys as long as a block, longer by a byte, and empty ones", function()
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hex(crypto.hmac("", "")))
    local at_block, above = crypto.hmac(("k"):rep(64), "x"), crypto.hmac(("k"):rep(65), "x")
    assert.not_equal(hex(at_block), hex(above))
    assert.equal(hex(crypto.hmac(crypto.sha256(("k"):rep(65)), "x")), hex(above))
    assert.not_equal(hex(crypto.hmac(crypto.sha256(("k"):rep(64)), "x")), hex(at_block))
  end)

  it("takes two strings", function()
    assert.error(function() crypto.hmac("key") end)
    assert.error(function() crypto.hmac(nil, "data") end)
  end)
end)

describe("crypto.equal", function()
  it("compares bytes", function()
    assert.is_true(crypto.equal("", ""))
    assert.is_true(crypto.equal("a\0b", "a\0b"))
    assert.is_false(crypto.equal("a\0b", "a\0c"))
    assert.is_false(crypto.equal("a", "ab"))
    assert.is_false(crypto.equal("", "a"))
  end)
end)

describe("crypto.random", function()
  it("gives as many bytes as asked for, never the same", function()
    for _, n in ipairs { 0, 1, 16, 255, 256, 257, 5000, 1048576 } do
      assert.equal(n, #crypto.random(n))
    end
    assert.not_equal(crypto.random(16), crypto.random(16))
    assert.is_nil(crypto.random(5000):find(("\0"):rep(16), 1, true))
  end)

  it("refuses other numbers", function()
    for _, n in ipairs { -1, 1048577, math.mininteger, math.maxinteger, 1.5, "x" } do
      assert.error(function() crypto.random(n) end)
    end
  end)
end)

describe("crypto.base64url", function()
  it("gives what RFC 4648 says, in the other alphabet and without padding", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg", fo = "Zm8", foo = "Zm9v", foob = "Zm9vYg", fooba = "Zm9vYmE", foobar = "Zm9vYmFy",
      ["\xfb\xff\xbf"] = "-_-_", ["\0"] = "AA", ["\xff\xff"] = "__8",
    } do
      assert.equal(text, crypto.base64url(bytes))
      assert.equal(bytes, crypto.unbase64url(text))
    end
  end)

  it("is undone for every byte at every place", function()
    local all = {}
    for byte = 0, 255 do all[#all + 1] = string.char(byte) end
    local bytes = table.concat(all):rep(100)
    for skipped = 0, 5 do
      local part = bytes:sub(1 + skipped)
      assert.equal(part, crypto.unbase64url(crypto.base64url(part)))
    end
  end)

  it("has one text for each string of bytes", function()
    for _, text in ipairs {
      "A", "AAAAA", "Zh", "Zm9", "__9", "Zg==", "Zg=", "Z g", " Zg", "Zg\n", "+/+/", "Zm9v.", "Zm\0v", "\xc3\xa9", "=",
    } do
      assert.is_nil(crypto.unbase64url(text), text)
    end
  end)
end)
