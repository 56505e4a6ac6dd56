local base64 = require "sprylua.middleware.base64"

describe("base64", function()
  it("reads the examples of RFC 4648, section 10", function()
    for text, bytes in pairs {
      [""] = "", ["Zg=="] = "f", ["Zm8="] = "fo", ["Zm9v"] = "foo", ["Zm9vYg=="] = "foob", ["Zm9vYmE="] = "fooba",
      ["Zm9vYmFy"] = "foobar", ["AAAA"] = "\0\0\0", ["////"] = "\xff\xff\xff", ["++++"] = "\xfb\xef\xbe",
    } do
      assert.equal(bytes, base64.decode(text))
    end
  end)

  it("reads nothing else", function()
    for _, text in ipairs {
      "Z", "Zg", "Zg=", "Zm9", "Zg===", "====", "==", "Zg==Zg==", "Z=g=", "Zm9v\n", " Zm9v", "Zm 9v", "Zm-_", "Zm9v=",
      "\xff\xff\xff\xff",
    } do
      assert.is_nil(base64.decode(text), text)
    end
  end)
end)
