-- sprylua.resp: answers of Redis, and what a server could send instead.

local resp = require "sprylua.resp"

-- All answers of a reader, and the problem that ended them.
local function drain(reader)
  local answers = {}
  while true do
    local kind, value = reader:next()
    if not kind then return answers, value end
    answers[#answers + 1] = { kind, value }
  end
end

local function read(bytes)
  local reader <close> = resp.reader()
  reader:feed(bytes)
  return drain(reader)
end

local function problem(bytes)
  local answers, message = read(bytes)
  assert.same({}, answers)
  return assert.is_string(message) and message
end

local STREAM = "+OK\r\n:-7\r\n$5\r\na\r\n\0b\r\n$-1\r\n*-1\r\n-ERR no\r\n*0\r\n$0\r\n\r\n"
  .. "*5\r\n$1\r\nx\r\n$-1\r\n-ERR within\r\n*2\r\n:1\r\n*1\r\n+deep\r\n+\r\n:9223372036854775807\r\n"

local ANSWERS = {
  { "status", "OK" }, { "integer", -7 }, { "string", "a\r\n\0b" }, { "nil" }, { "nil" }, { "error", "ERR no" },
  { "array", {} }, { "string", "" },
  { "array", { "x", false, { err = "ERR within" }, { 1, { "deep" } }, "" } }, { "integer", math.maxinteger },
}

describe("a reader of Redis' answers", function()
  it("has a kind and a value for each", function()
    assert.same(ANSWERS, (read(STREAM)))
  end)

  it("takes them in two pieces, cut anywhere", function()
    for cut = 0, #STREAM do
      local reader = resp.reader()
      reader:feed(STREAM:sub(1, cut))
      local answers = drain(reader)
      reader:feed(STREAM:sub(cut + 1))
      local rest, message = drain(reader)
      table.move(rest, 1, #rest, #answers + 1, answers)
      assert.same(ANSWERS, answers)
      assert.is_nil(message)
    end
  end)

  it("takes them byte by byte", function()
    local reader, answers = resp.reader(), {}
    for byte in STREAM:gmatch "." do
      reader:feed(byte)
      local more = drain(reader)
      table.move(more, 1, #more, #answers + 1, answers)
    end
    assert.same(ANSWERS, answers)
  end)

  it("goes on after large ones", function()
    local reader = resp.reader()
    for i = 1, 3 do
      local text = ("x"):rep(3000000 + i)
      reader:feed(("$%d\r\n%s"):format(#text, text:sub(1, 1000)))
      assert.same({}, (drain(reader)))
      reader:feed(text:sub(1001) .. "\r\n:1\r\n")
      local answers = drain(reader)
      assert.is_true(answers[1][2] == text)
      assert.same({ "integer", 1 }, answers[2])
    end
  end)

  it("is over when it is not the protocol, and stays so", function()
    for _, bytes in ipairs { "HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\3\1\0\2\2\x46", "\0", "\r\n", ">1\r\n+x\r\n",
      ":x\r\n", ":\r\n", ":9223372036854775808\r\n", "$x\r\n", "$-2\r\n", "$ 1\r\n", "*-2\r\n", "*x\r\n",
      "*2147483648\r\n", "*1\r\n$99999999999999999999\r\n", "*2\r\n+x\r\n!" } do
      local reader = resp.reader()
      reader:feed(bytes)
      local answers, message = drain(reader)
      assert.same({}, answers)
      assert.matches("^it does not speak as Redis does: %u", message)
      reader:feed "+OK\r\n"
      assert.same({ {}, message }, { drain(reader) })
    end
  end)

  it("gives the answers before that", function()
    local answers, message = read "+OK\r\n:1\r\nnonsense"
    assert.same({ { "status", "OK" }, { "integer", 1 } }, answers)
    assert.matches("it does not speak as Redis does", message)
  end)

  it("takes lists eight deep and no deeper", function()
    assert.same({ { "array", { { { { { { { { 1 } } } } } } } } } }, (read(("*1\r\n"):rep(8) .. ":1\r\n")))
    assert.matches("depth > 7", problem(("*1\r\n"):rep(9) .. ":1\r\n"))
    assert.matches("depth > 7", problem(("*1\r\n"):rep(100000)))
  end)

  it("does not make room for what is only announced", function()
    assert.matches("more than 128 MiB", problem "*2147483647\r\n")
    assert.matches("more than 128 MiB", problem "*3000000\r\n")
    assert.matches("more than 128 MiB", problem(("*1000000\r\n"):rep(3)))
    for _, length in ipairs { "134217729", "4294967295", "9223372036854775807" } do
      local answers, message = read(("$%s\r\nabc"):format(length))
      assert.same({ {} }, { answers, message })
    end
  end)

  it("has enough of an answer that does not end", function()
    local reader, megabyte, message = resp.reader(), ("x"):rep(1 << 20), nil
    reader:feed "$500000000\r\n"
    for _ = 1, 200 do
      reader:feed(megabyte)
      _, message = drain(reader)
      if message then break end
    end
    assert.matches("more than 128 MiB", message)
    reader = resp.reader()
    reader:feed "*2000000\r\n"
    for _ = 1, 200 do
      reader:feed(("$1000\r\n" .. ("y"):rep(1000) .. "\r\n"):rep(1000))
      _, message = drain(reader)
      if message then break end
    end
    assert.matches("more than 128 MiB", message)
  end)

  it("has enough of a line that does not end", function()
    for _, start in ipairs { "+", "-", ":", "$", "*", "*1\r\n+" } do
      assert.matches("a line that does not end", problem(start .. ("1"):rep(100000)))
    end
    assert.same({ { "status", ("x"):rep(60000) } }, (read("+" .. ("x"):rep(60000) .. "\r\n")))
  end)

  it("may be left in the middle of an answer, and be closed", function()
    local reader = resp.reader()
    reader:feed "*3\r\n$1\r\nx\r\n*2\r\n"
    drain(reader)
    getmetatable(resp.reader()) -- nothing to be had from outside
    do local closed <close> = reader end -- luacheck: ignore
    reader:feed "+x\r\n"
    assert.same({ {}, "it is closed" }, { drain(reader) })
    assert.error(function() resp.reader():feed() end)
    assert.error(function() resp.reader().next(io.stdout) end)
  end)

  it("does not take away an answer that is being given, whatever a finalizer does", function()
    local reader, inner = resp.reader(), nil
    reader:feed("*2000\r\n" .. ("$3\r\nabc\r\n"):rep(2000) .. "+next\r\n")
    local _ <close> = setmetatable({}, { __close = function() collectgarbage "restart" end })
    collectgarbage "generational"
    collectgarbage "stop"
    coroutine.wrap(function()
      setmetatable({}, { __gc = function()
        inner = { reader:next() }
        local closed <close> = reader -- luacheck: ignore
      end })
    end)()
    collectgarbage "restart" -- it begins with the next thing that is made
    local kind, value = reader:next()
    assert.same({ nil, "there is no memory for what it sent" }, inner)
    assert.equal("array", kind)
    assert.equal(("abc"):rep(2000), table.concat(value))
    assert.same({ nil, "there is no memory for what it sent" }, { reader:next() })
  end)

  it("survives noise", function()
    math.randomseed(7)
    local alphabet = { "*", "$", ":", "+", "-", "1", "2", "9", "\r", "\n", "\r\n", "x", "\0" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, math.random(40) do parts[i] = alphabet[math.random(#alphabet)] end
      local reader <close> = resp.reader()
      for _, part in ipairs(parts) do
        reader:feed(part)
        drain(reader)
      end
    end
  end)
end)
