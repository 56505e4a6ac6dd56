-- UTF-8 in texts and close reasons: RFC 6455 sections 5.6 and 8.1. A text that can't become valid any more fails at
-- once.

local cases = require "spec.support.ws_cases"
local frames = require "sprylua.testing.frames"

local text, frame, fragments, close = cases.text, cases.frame, cases.fragments, cases.close
local from_server, closed = cases.from_server, cases.closed

local INVALID = closed(1007)

-- utf8.len is the second opinion: strict by default, so no surrogates and nothing over U+10FFFF; it refuses overlong
-- forms.
local function is_valid(s)
  return utf8.len(s) ~= nil
end

-- Whether some continuation makes `s` valid.
local function may_go_on(s)
  for _, rest in ipairs { "", "\x80", "\x80\x80", "\x80\x80\x80", "\xa0\x80", "\xa0\x80\x80" } do
    if is_valid(s .. rest) then return true end
  end
  return false
end

-- The number of bytes after which it is clear that `s` is not the beginning of a text, or nil.
local function fault(s)
  for n = 1, #s do
    if not may_go_on(s:sub(1, n)) then return n end
  end
end

local good = {
  "", "a", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "€", "𝄞", "日本語", "\0", "a\0b", "\x7f", "\u{80}",
  "\u{7ff}", "\u{800}", "\u{fff}", "\u{1000}", "\u{cfff}", "\u{d7ff}", "\u{e000}", "\u{fffd}", "\u{fffe}", "\u{ffff}",
  "\u{10000}", "\u{3ffff}", "\u{40000}", "\u{fffff}", "\u{100000}", "\u{10ffff}", "\u{feff}a",
  "aé€𝄞aé€𝄞aé€𝄞", ("é"):rep(100), ("aaaaaaa€"):rep(30),
}
local bad = {
  "\x80", "\xbf", "a\x80", "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x80\xaf", "\xe0\x9f\xbf",
  "\xf0\x80\x80\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80",
  "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xf4\x90\x80\x80", "\xf4\xbf\xbf\xbf", "\xf5\x80\x80\x80",
  "\xf7\xbf\xbf\xbf", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff", "\xc3", "\xe2\x82",
  "\xf0\x9d\x84", "\xe2", "\xf0", "a\xc3a", "\xe2\x82a", "\xf0\x9d\x84a", "\xc3\xc3\xa9",
  "κόσμε\xed\xa0\x80edited", "\xe2\x28\xa1", "aaaaaaaaaaaaaaaa\xff", "aaaaaaaaaaaaaaa€\xe2\x82",
  "éaaaaaaa\xa9", ("é"):rep(60) .. "\xc3",
}

describe("a text", function()
  cases.run(it, (function()
    local list = {}
    for _, s in ipairs(good) do
      assert(is_valid(s))
      list[#list + 1] = { ("%q is taken"):format(s), open = true, input = text(s), output = from_server("text", s) }
      if #s > 1 and #s < 40 then
        local bytes = {}
        for byte in s:gmatch "." do bytes[#bytes + 1] = byte end
        list[#list + 1] = {
          ("%q is taken with every byte in its own fragment"):format(s), open = true,
          input = fragments("text", bytes, cases.ping ""),
          output = from_server("pong", ""):rep(#bytes - 1) .. from_server("text", s),
        }
      end
    end
    for _, s in ipairs(bad) do
      assert(not is_valid(s))
      list[#list + 1] = {
        ("%q is 1007"):format(s), input = text "before" .. text(s) .. text "behind", output = from_server("text",
          "before") .. INVALID,
        events = { { "text", "before" }, { "close", 1007, "a text is not valid UTF-8" } },
      }
    end
    return list
  end)())

  it("fails at its first byte that is wrong", function()
    local app = cases.app()
    local firsts = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1,
      0xf3, 0xf4,
      0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xff }
    local seconds = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff }
    local thirds = { 0x61, 0x80, 0xbf, 0xc2 }
    for _, prefix in ipairs { "", "1234567", "12345678" } do
      for _, a in ipairs(firsts) do
        for _, b in ipairs(seconds) do
          for _, c in ipairs(thirds) do
            local s = prefix .. string.char(a, b, c, 0x80, 0x80)
            local client <close> = cases.open(app)
            assert.equal("", client:send(text("", { length = 100, mask = "\0\0\0\0" })))
            local at
            for i = 1, #s do
              if client:send(s:sub(i, i)) ~= "" then
                at = i
                break
              end
            end
            assert.equal(fault(s), at, ("%q"):format(s))
          end
        end
      end
    end
  end)

  it("fails at its first byte that is wrong, in fragments too", function()
    local app = cases.app()
    for _, s in ipairs(bad) do
      local client <close> = cases.open(app)
      local at
      for i = 1, #s do
        local answer = client:send(frame(i == 1 and "text" or "continuation", s:sub(i, i), { fin = false }))
        if answer ~= "" then
          assert.equal(INVALID, answer)
          at = i
          break
        end
      end
      assert.equal(fault(s), at, ("%q"):format(s))
      if not at then assert.equal(INVALID, client:send(frame("continuation", ""))) end
    end
  end)

  it("may be long, and fail in any place", function()
    local app = cases.app()
    local long = ("日本語 and ASCII, "):rep(3000)
    local client <close> = cases.open(app)
    assert.equal(from_server("text", long), client:send(text(long)))
    for _, at in ipairs { 4090, 4096, 4097, 8192, 40000, #long } do
      local other <close> = cases.open(app)
      assert.equal(INVALID, other:send(text(long:sub(1, at - 1) .. "\xff" .. long:sub(at + 1))))
    end
  end)

  it("that is not UTF-8 can't be sent either", function()
    local app = cases.app(function(ws)
      local ok, problem = pcall(ws.sendText, ws, "\xff")
      ws:sendText(tostring(ok) .. " " .. problem)
      ok, problem = pcall(ws.close, ws, 1000, "\xc3")
      ws:sendText(tostring(ok) .. " " .. problem)
    end)
    local client <close> = cases.open(app)
    local got = client:frames()
    assert.matches("^false .*sendBinary", got[1].payload)
    assert.matches("^false .*UTF%-8", got[2].payload)
  end)
end)

describe("a binary", function()
  it("carries any bytes", function()
    local app = cases.app()
    for _, s in ipairs(bad) do
      local client <close> = cases.open(app)
      assert.equal(from_server("binary", s), client:send(cases.binary(s)))
    end
  end)
end)

describe("a close reason", function()
  cases.run(it, (function()
    local list = {}
    for _, s in ipairs(good) do
      if #s <= 123 then
        list[#list + 1] = { ("%q is taken"):format(s), input = close(1000, s), output = closed(1000),
          events = { { "close", 1000, s } } }
      end
    end
    for _, s in ipairs(bad) do
      if #s <= 123 then
        list[#list + 1] = {
          ("%q is 1007"):format(s), input = close(1000, s), output = INVALID,
          events = { { "close", 1007, "a close reason is not valid UTF-8" } },
        }
      end
    end
    return list
  end)())

  it("does not count as the text it interrupts", function()
    local app = cases.app()
    local client <close> = cases.open(app)
    client:send(text("\xe2\x82", { fin = false }))
    assert.equal(closed(1000), client:send(close(1000, "ok")))
    assert.equal("close", client.seen[1][1])
    assert.equal(frames.names[8], "close")
  end)
end)
