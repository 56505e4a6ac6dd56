-- Damaged requests, many of them: whatever they are, the answers are well formed and do not depend on how the bytes
-- were cut. The damage is the same in every run.

local assert = require "luassert"
local cases = require "spec.support.http_cases"

after_each(cases.clean)

local REQUESTS = {
  "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
  'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 ; a="q\\"" ;b\r\nhello\r\n0\r\n\r\n',
  "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
  "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n",
  "PUT http://h/echo?x HTTP/1.1\r\nHost: a\r\nX:\r\nY: 1 \r\n\r\n",
}

local SPLINTERS = {
  "\r\n", "\n", "\r", " ", "\t", "\0", "\v", ":", ",", ";", "=", '"', "\\", "0", "5", "a", "\x80", "\xFF", "-", "+",
    "0x", "%00",
  "%2e", "/", "#", "?", "*", "http://", "chunked", "close", "GET ", "POST ", " HTTP/1.1", "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "Connection: close\r\n", "0\r\n\r\n", "5\r\nhello\r\n", "\r\n\r\n",
}

-- A generator of its own: Lua's differs between versions and is seeded anew in each run.
local function generator(seed)
  return function(limit)
    seed = (seed * 1103515245 + 12345) % 0x80000000
    return seed // 65536 % limit + 1
  end
end

local function damaged(text, random)
  for _ = 1, random(3) do
    local at, kind = random(#text), random(4)
    local splinter = SPLINTERS[random(#SPLINTERS)]
    if kind == 1 then
      text = text:sub(1, at) .. splinter .. text:sub(at + 1)
    elseif kind == 2 then
      text = text:sub(1, at - 1) .. splinter .. text:sub(at + 1)
    elseif kind == 3 then
      text = text:sub(1, at - 1) .. text:sub(at + random(3))
    else
      text = text:sub(1, at + random(20)) .. text:sub(at)
    end
  end
  return text
end

local function cut(text, random)
  local pieces, at = {}, 1
  while at <= #text do
    local n = random(30)
    pieces[#pieces + 1] = text:sub(at, at + n - 1)
    at = at + n
  end
  return pieces
end

describe("damaged requests", function()
  for seed = 1, 8 do
    it("are answered the same however they are cut, batch " .. seed, function()
      local random = generator(seed)
      for _ = 1, 150 do
        local bytes = damaged(REQUESTS[random(#REQUESTS)], random) .. REQUESTS[random(#REQUESTS)]
        local case = { "", bytes, late = true, only = "echo" }
        local whole = cases.outcome(case, 0)
        assert.equal(whole, cases.outcome(case, "bytes"), ("%q"):format(bytes))
        assert.equal(whole, cases.outcome(case, cut(bytes, random)), ("%q"):format(bytes))
      end
    end)
  end
end)
