local secret = require "sprylua.middleware.secret"

describe("a secret", function()
  it("is equal to itself alone", function()
    assert.is_true(secret.equal("secret", "secret"))
    assert.is_true(secret.equal("", ""))
    assert.is_true(secret.equal("\0\xff", "\0\xff"))
  end)

  it("is not equal to what is shorter, longer, repeated, or other anywhere", function()
    for _, given in ipairs { "", "s", "secre", "secret\0", "secretsecret", "Secret", "secreT", "seCret" } do
      assert.is_false(secret.equal(given, "secret"), given)
      assert.is_false(secret.equal("secret", given), given)
    end
    assert.is_false(secret.equal("a", "aa"))
    assert.is_false(secret.equal("aa", "a"))
  end)
end)
