local constraint = require "sprylua.constraint"
local core = require "sprylua.core"

describe("constraint", function()
  local function read(text)
    return constraint.read(text, 1)
  end

  it("ends at its own closing parenthesis", function()
    assert.same({ "%d+", 5 }, { read "%d+)]" })
    assert.same({ "a(b)c", 7 }, { read "a(b)c)" })
    assert.same({ "[)]", 5 }, { read "[)])" })
    assert.same({ "[]]", 5 }, { read "[]])" })
    assert.same({ "[^]]", 6 }, { read "[^]])" })
    assert.same({ "%)", 4 }, { read "%))" })
    assert.same({ "%b()", 6 }, { read "%b())" })
    assert.same({ "(a)%1", 7 }, { read "(a)%1)" })
    assert.same({ "%$", 4 }, { read "%$)" })
    assert.same({ "a^$b", 6 }, { read "a^$b)" })
  end)

  -- Each of these makes string.find raise, but only for subjects that get it that far.
  it("finds what Lua would find too late", function()
    for text, sentence in pairs {
      ["a%"] = "ends with '%%'",
      ["a[b)"] = "'%[' without a ']'",
      ["a%bx"] = "needs two characters",
      ["a%fx)"] = "needs a set",
      ["a%1)"] = "a capture that is not there",
      ["(a%1))"] = "a capture that is not there",
      ["(a)%2)"] = "a capture that is not there",
      ["abc"] = "no closing",
      ["(abc)"] = "no closing",
      [")"] = "is empty",
      ["^%d+)"] = "leave out the '%^'",
      ["%d+$)"] = "leave out the '%$'",
      [("(a)"):rep(33) .. ")"] = "more than 32 captures",
    } do
      local found, problem = read(text)
      assert.is_nil(found)
      assert.matches(sentence, problem)
    end
  end)

  it("agrees with Lua about what is well formed", function()
    local pieces = { "a", "%d", "%", "[", "]", "^", "(", ")", "%1", "%b", "%f", "-", "[a-z]", "[^%]]", "x" }
    local seed = 7
    local function random(n)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed // 65536 % n + 1
    end
    local accepted = 0
    for _ = 1, 5000 do
      local text = {}
      for i = 1, random(5) do
        text[i] = pieces[random(#pieces)]
      end
      local found = read(table.concat(text) .. ")")
      if found then
        accepted = accepted + 1
        core.router { { segments = { { param = "x", match = found } }, entry = print } } -- or it raises
        -- Subjects of every kind, so that the matcher gets through the whole pattern.
        for _, subject in ipairs { "", "a", "ax", "axa", "x-1", "aaaa", "(x)", "1xa]" } do
          assert.is_true(pcall(string.find, subject, found), found)
        end
      end
    end
    assert.is_true(accepted > 500)
  end)
end)
