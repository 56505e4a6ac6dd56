-- Where a request ends (RFC 9112 sections 6 and 7): Content-Length, Transfer-Encoding, chunks. Whoever reads
-- that otherwise than the proxy before it takes one client's bytes for another's request, so everything that could be
-- read in two ways is refused, and the connection ends.

local cases = require "spec.support.http_cases"

local to = cases.to

after_each(cases.clean)

-- What would be served if a flawed body were taken for something else.
local NEXT = "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"

local function post(headers, body)
  return to("POST /echo", { table.unpack(headers) }, body)
end

local function length(value, body) return post({ "Content-Length:" .. value }, body) .. NEXT end

local function coding(value, body) return post({ "Transfer-Encoding:" .. value }, body or "2\r\nhi\r\n0\r\n\r\n") ..
  NEXT end

local function chunked(body) return post({ "Transfer-Encoding: chunked" }, body) .. NEXT end

local function served(name, bytes, body) return { name, bytes, { 200, 200 }, body = { "POST:" .. body, "got" } } end

describe("a Content-Length", function()
  cases.all {
    served("says where the next request begins", length(" 2", "hi"), "hi"),
    served("of nothing is no body", length(" 0", ""), ""),
    served("may have leading zeros", length(" 0000000000000000000000002", "hi"), "hi"),
    served("may have white space around it", length("\t 2 \t", "hi"), "hi"),
    { "may come with GET", to("GET /echo", { "Content-Length: 2" }, "hi") .. NEXT, { 200, 200 },
      body = { "GET:hi", "got" } },
    { "may come with any method", to("PROPFIND /echo", { "Content-Length: 2" }, "hi") .. NEXT,
      { 200, 200 }, body = { "PROPFIND:hi", "got" } },
    { "missing means no body", post {} .. NEXT, { 200, 200 }, body = { "POST:", "got" } },
    { "is no part of a field", post { "X-Content-Length: 2" } .. NEXT, { 200, 200 } },
    { "may be a body at the limit", length(" 10", "0123456789"), { 200, 200 }, limits = { body = 10 } },
    { "over the limit is a 413 that no handler sees", length(" 11", "0123456789x"), 413, limits = { body = 10 } },
    { "over the limit is a 413 before the body comes", post { "Content-Length: 1048577" }, 413 },
    { "of 2^31 is a 413", length(" 2147483648", ""), 413 },
    { "of 2^32 is a 413", length(" 4294967296", ""), 413 },
    { "of 2^32 and a bit is a 413", length(" 4294967298", "hi"), 413 },
    { "of 2^63 is a 413", length(" 9223372036854775808", ""), 413 },
    { "of 2^64-1 is a 413", length(" 18446744073709551615", ""), 413 },
    { "of 2^64 is a 400", length(" 18446744073709551616", ""), 400 },
    { "of 2^64 and a bit is a 400", length(" 18446744073709551618", "hi"), 400 },
    { "of a hundred digits is a 400", length(" " .. ("9"):rep(100), ""), 400 },
    { "may not be negative", length(" -2", "hi"), 400 },
    { "may not be minus zero", length(" -0", ""), 400 },
    { "may not have a sign", length(" +2", "hi"), 400 },
    { "may not be empty", length("", "hi"), 400 },
    { "may not be white space", length(" \t", "hi"), 400 },
    { "may not be a word", length(" x", "hi"), 400 },
    { "may not be hexadecimal", length(" 0x2", "hi"), 400 },
    { "may not have hexadecimal digits", length(" a", "0123456789"), 400 },
    { "may not be a fraction", length(" 2.0", "hi"), 400 },
    { "may not be a power", length(" 2e0", "hi"), 400 },
    { "may not have a unit", length(" 2b", "hi"), 400 },
    { "may not be in quotes", length(' "2"', "hi"), 400 },
    { "may not be two numbers", length(" 2 2", "hi"), 400 },
    { "may not have digits apart", length(" 1 1", "0123456789x"), 400 },
    { "may not have underscores", length(" 1_1", "0123456789x"), 400 },
    { "may not be a list", length(" 2,2", "hi"), 400 },
    { "may not be a list of different ones", length(" 2, 3", "hi"), 400 },
    { "may not have an empty one beside it", length(" 2,", "hi"), 400 },
    { "may not hold a vertical tab", length(" \v2", "hi"), 400 },
    { "may not hold a form feed", length(" 2\f", "hi"), 400 },
    { "may not hold a NUL", length(" 2\0", "hi"), 400 },
    { "may not hold digits of other scripts", length(" \xD9\xA2", "hi"), 400 },
    { "may not come twice", post({ "Content-Length: 2", "Content-Length: 3" }, "hi") .. NEXT, 400 },
    { "may not come twice, even when both are the same", post({ "Content-Length: 2", "content-length: 2" }, "hi") ..
      NEXT, 400 },
    { "may not have white space before its colon", post({ "Content-Length : 2" }, "hi") .. NEXT, 400 },
    { "may not hide behind a bare CR", post({ "X: 1\rContent-Length: 2" }, "hi") .. NEXT, 400 },
    { "may not hide behind a bare LF", post({ "X: 1\nContent-Length: 2" }, "hi") .. NEXT, 400 },
    { "that is longer than the body waits for it", post({ "Content-Length: 3" }, "hi"), {}, seen = 1 },
    { "that the client does not keep is a 400", post({ "Content-Length: 3" }, "hi"), 400, finish = true, late = true },
  }
end)

describe("a Transfer-Encoding", function()
  cases.all {
    served("of chunked says where the next request begins", coding " chunked", "hi"),
    served("is spelled in any case", coding " CHUNKED", "hi"),
    served("may have white space around it", coding "\t chunked \t", "hi"),
    served("may be without white space", coding "chunked", "hi"),
    { "may come with GET", to("GET /echo", { "Transfer-Encoding: chunked" }, "2\r\nhi\r\n0\r\n\r\n") ..
      NEXT, { 200, 200 }, body = { "GET:hi", "got" } },
    { "that is not known is a 501", coding " gzip, chunked", 501 },
    { "that is not known is a 501, over two fields too", post({ "Transfer-Encoding: gzip",
      "Transfer-Encoding: chunked" }) ..
      NEXT, 501 },
    { "that does not end in chunked is a 400", coding " gzip", 400 },
    { "of identity is a 400", coding " identity", 400 },
    { "of identity before chunked is a 501", coding " identity, chunked", 501 },
    { "of identity behind chunked is a 400", coding " chunked, identity", 400 },
    { "may not go on behind chunked", coding " chunked, gzip", 400 },
    { "may not go on behind chunked in another field", post({ "Transfer-Encoding: chunked",
      "Transfer-Encoding: identity" },
      "2\r\nhi\r\n0\r\n\r\n") .. NEXT, 400 },
    { "may not be chunked twice", coding " chunked, chunked", 400 },
    { "may not come twice", post({ "Transfer-Encoding: chunked", "Transfer-Encoding: chunked" }, "0\r\n\r\n") .. NEXT,
      400 },
    { "may not come twice, once empty", post({ "Transfer-Encoding:", "Transfer-Encoding: chunked" }, "0\r\n\r\n") ..
      NEXT, 400 },
    { "may not be followed by an empty one", post({ "Transfer-Encoding: chunked", "Transfer-Encoding:" },
      "0\r\n\r\n") .. NEXT,
      400 },
    { "may not be empty", coding "", 400 },
    { "may not be a comma", coding " ,", 400 },
    { "may not begin with a comma", coding " ,chunked", 400 },
    { "may not end with a comma", coding " chunked,", 400 },
    { "may not be like chunked", coding " xchunked", 400 },
    { "may not begin like chunked", coding " chunkedx", 400 },
    { "may not be half of chunked", coding " chunk", 400 },
    { "may not be in quotes", coding ' "chunked"', 400 },
    { "may not have parameters", coding " chunked;q=1", 400 },
    { "may not have a word behind it", coding " chunked x", 400 },
    { "may not have a word before it", coding " x chunked", 400 },
    { "may not have a vertical tab before it", coding " \vchunked", 400 },
    { "may not have a vertical tab behind it", coding " chunked\v", 400 },
    { "may not have a form feed before it", coding " \fchunked", 400 },
    { "may not have a NUL behind it", coding " chunked\0", 400 },
    { "may not have a bare CR before it", coding " \rchunked", 400 },
    { "may not have a no-break space before it", coding " \xA0chunked", 400 },
    { "may not be split by letters that look alike", coding " chun\xE2\x84\xAAed", 400 },
    { "may not have white space before its colon", post({ "Transfer-Encoding : chunked" }, "0\r\n\r\n") .. NEXT, 400 },
    { "may not have a tab before its colon", post({ "Transfer-Encoding\t: chunked" }, "0\r\n\r\n") .. NEXT, 400 },
    { "may not have a NUL in its name", post({ "Transfer-Encoding\0: chunked" }, "0\r\n\r\n") .. NEXT, 400 },
    { "may not come before a Content-Length", post({ "Transfer-Encoding: chunked", "Content-Length: 4" },
      "0\r\n\r\n") .. NEXT, 400 },
    { "may not come behind a Content-Length", post({ "Content-Length: 4", "Transfer-Encoding: chunked" },
      "0\r\n\r\n") .. NEXT, 400 },
    { "may not come beside a Content-Length of nothing", post({ "Content-Length: 0", "Transfer-Encoding: chunked" },
      "0\r\n\r\n") .. NEXT, 400 },
    { "may not come beside a Content-Length, known or not", post({ "Content-Length: 4", "Transfer-Encoding: identity" },
      "hiho") .. NEXT, 400 },
    { "may not come beside a Content-Length that comes twice", post({ "Content-Length: 4", "Transfer-Encoding: x",
      "Content-Length: 4" }, "hiho") .. NEXT, 400 },
    { "may not come in HTTP/1.0", cases.request("POST /echo HTTP/1.0", { "Transfer-Encoding: chunked" },
      "0\r\n\r\n") .. NEXT, 400 },
    { "may not come in HTTP/1.0 that keeps the connection", cases.request("POST /echo HTTP/1.0",
      { "Connection: keep-alive",
      "Transfer-Encoding: chunked" }, "0\r\n\r\n") .. NEXT, 400 },
    { "is another field than TE", post { "TE: chunked" } .. NEXT, { 200, 200 } },
    { "is another field than with an underscore", post { "Transfer_Encoding: chunked" } .. NEXT, { 200, 200 } },
  }
end)

-- A flaw in the body: the handler may have begun, and gets the 400 that it sends.
local function bad(name, body) return { name, chunked(body), 400, late = true } end

describe("chunks", function()
  cases.all {
    served("are joined", chunked "2\r\nhi\r\n3\r\n ho\r\n0\r\n\r\n", "hi ho"),
    served("may be none", chunked "0\r\n\r\n", ""),
    served("may hold line ends", chunked "6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", "\r\n0\r\n\r"),
    served("have sizes in hexadecimal", chunked("1a\r\n" .. ("x"):rep(26) .. "\r\n0\r\n\r\n"), ("x"):rep(26)),
    served("have sizes in upper case too", chunked("1A\r\n" .. ("x"):rep(26) .. "\r\n0\r\n\r\n"), ("x"):rep(26)),
    served("may have leading zeros", chunked "000000000000000000000002\r\nhi\r\n0\r\n\r\n", "hi"),
    served("may end in many zeros", chunked "2\r\nhi\r\n0000000000000000000000\r\n\r\n", "hi"),
    bad("have a size", "\r\nhi\r\n0\r\n\r\n"),
    bad("have a size that is a number", "x\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without 0x", "0x2\r\nhi\r\n0\r\n\r\n"),
    bad("have a size that is not negative", "-2\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without a sign", "+2\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without a fraction", "2.0\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without underscores", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
    bad("have a size without white space before it", " 2\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without white space behind it", "2 \r\nhi\r\n0\r\n\r\n"),
    bad("have a size without white space in it", "0 2\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without a vertical tab", "2\v\r\nhi\r\n0\r\n\r\n"),
    bad("have a size without NUL", "2\0\r\nhi\r\n0\r\n\r\n"),
    bad("have a size under 2^64", "10000000000000002\r\nhi\r\n0\r\n\r\n"),
    bad("have a size far under 2^64", ("f"):rep(100) .. "\r\nhi\r\n0\r\n\r\n"),
    bad("have a CRLF behind their size, not a LF", "2\nhi\r\n0\r\n\r\n"),
    bad("have a CRLF behind their size, not a CR", "2\rhi\r\n0\r\n\r\n"),
    bad("have one CR behind their size", "2\r\r\nhi\r\n0\r\n\r\n"),
    bad("have a CRLF behind their content", "2\r\nhi0\r\n\r\n"),
    bad("have a CRLF behind their content, not something else", "2\r\nhiXX0\r\n\r\n"),
    bad("have a CRLF behind their content, not a LF", "2\r\nhi\n0\r\n\r\n"),
    bad("have a CRLF behind their content, not a CR", "2\r\nhi\r0\r\n\r\n"),
    bad("are not longer than their size", "2\r\nhi!\r\n0\r\n\r\n"),
    bad("are not shorter than their size", "3\r\nhi\r\n0\r\n\r\n"),
    bad("have LF nowhere alone", "2\nhi\n0\n\n"),
    bad("end with CRLF, not with LF", "2\r\nhi\r\n0\r\n\n"),
    bad("end with a last one that ends with CRLF, not with LF", "2\r\nhi\r\n0\n\r\n"),
    { "that the client does not end are a 400", post({ "Transfer-Encoding: chunked" }, "2\r\nhi\r\n"), 400,
      finish = true, late = true },
    { "that the client does not end with an empty line are a 400", post({ "Transfer-Encoding: chunked" },
      "2\r\nhi\r\n0\r\n"), 400,
      finish = true, late = true },
    { "that end within the limit are taken", chunked "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n", { 200, 200 },
      limits = { body = 10 } },
    { "over the limit are a 413", chunked "5\r\nhello\r\n6\r\nhello!\r\n0\r\n\r\n", 413, limits = { body = 10 },
      late = true },
    { "over the limit are a 413 before they have come", post({ "Transfer-Encoding: chunked" }, "5\r\nhello\r\n6\r\n"),
      413,
      limits = { body = 10 }, late = true },
    { "of a huge size are a 413", chunked "ffffffffffffffff\r\n", 413, late = true },
    { "of a size whose sum wraps are a 413", chunked "5\r\nhello\r\nfffffffffffffffb\r\n", 413, late = true },
  }
end)

describe("chunk extensions", function()
  cases.all {
    served("are ignored", chunked "2;a\r\nhi\r\n0;b\r\n\r\n", "hi"),
    served("may have values", chunked "2;a=b;c=d\r\nhi\r\n0;e=f\r\n\r\n", "hi"),
    served("may have values in quotes", chunked('2;a="b c;=,";d\r\nhi\r\n0\r\n\r\n'), "hi"),
    served("may have quotes and backslashes in quotes", chunked('2;a="b\\"c\\\\";d="" \t; e\r\nhi\r\n0\r\n\r\n'), "hi"),
    served("may have white space around their parts", chunked "2 ; a = b\t;\tc\r\nhi\r\n0 ;a\r\n\r\n", "hi"),
    served("may be long", chunked("2;a=" .. ("x"):rep(4000) .. "\r\nhi\r\n0\r\n\r\n"), "hi"),
    bad("may not be too long", "2;a=" .. ("x"):rep(20000) .. "\r\nhi\r\n0\r\n\r\n"),
    bad("may not be too long together", ("1;a=" .. ("x"):rep(400) .. "\r\nx\r\n"):rep(50) .. "0\r\n\r\n"),
    { "may not be too long before their end has come", post({ "Transfer-Encoding: chunked" }, "2;a=" ..
      ("x"):rep(20000)), 400,
      late = true },
    bad("have names", "2;\r\nhi\r\n0\r\n\r\n"),
    bad("have names before their values", "2;=b\r\nhi\r\n0\r\n\r\n"),
    bad("have names that are tokens", "2;a b\r\nhi\r\n0\r\n\r\n"),
    bad("have values behind their equals signs", "2;a=\r\nhi\r\n0\r\n\r\n"),
    bad("have values that are tokens", "2;a=(\r\nhi\r\n0\r\n\r\n"),
    bad("have quotes that end", '2;a="b\r\nhi\r\n0\r\n\r\n'),
    bad("have quotes that end before the line does", '2;a="\r\n"\r\nhi\r\n0\r\n\r\n'),
    bad("have nothing behind their quotes", '2;a="b"c\r\nhi\r\n0\r\n\r\n'),
    bad("have no bare LF", "2;a\nhi\r\n0\r\n\r\n"),
    bad("have no bare CR", "2;a\rb\r\nhi\r\n0\r\n\r\n"),
    bad("have no bare CR in quotes", '2;a="\r"\r\nhi\r\n0\r\n\r\n'),
    bad("have no NUL in quotes", '2;a="\0"\r\nhi\r\n0\r\n\r\n'),
  }

  it("are paid for by content", function()
    -- As some clients sign each chunk of an upload.
    local chunk = "400;chunk-signature=" .. ("0"):rep(64) .. "\r\n" .. ("x"):rep(1024) .. "\r\n"
    local app = cases.app()
    local peer = app:connect():feed(chunked(chunk:rep(1000) .. "0\r\n\r\n"))
    local list = cases.responses(peer)
    assert.equal(200, list[1].status)
    assert.equal(5 + 1024 * 1000, #list[1].body)
  end)
end)

describe("trailers", function()
  cases.all {
    served("are read past", chunked "2\r\nhi\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", "hi"),
    served("that say how long the body is change nothing", chunked "2\r\nhi\r\n0\r\nX: 1\r\n\r\n", "hi"),
    served("that end the connection change nothing", chunked "0\r\nConnection: close\r\n\r\n", ""),
    served("that bring a Host change nothing", chunked "0\r\nHost: x y\r\nHost: z\r\n\r\n", ""),
    served("that expect something change nothing", chunked "0\r\nExpect: x\r\n\r\n", ""),
    bad("are well formed", "0\r\nX : 1\r\n\r\n"),
    bad("have names", "0\r\n: 1\r\n\r\n"),
    bad("have colons", "0\r\nX\r\n\r\n"),
    bad("are not folded", "0\r\nX: 1\r\n 2\r\n\r\n"),
    bad("do not begin with white space", "0\r\n X: 1\r\n\r\n"),
    bad("end with CRLF, not with LF", "0\r\nX: 1\nY: 2\r\n\r\n"),
    bad("have no bare CR", "0\r\nX: 1\rY: 2\r\n\r\n"),
    bad("have no NUL", "0\r\nX: \0\r\n\r\n"),
    { "over the limit are a 431", chunked("0\r\nX: " .. ("x"):rep(20000) .. "\r\n\r\n"), 431, late = true },
    { "of many lines over the limit are a 431", chunked("0\r\n" .. ("a:\r\n"):rep(5000) .. "\r\n"), 431, late = true },
  }

  it("are no headers", function()
    local list = cases.responses(cases.app():connect():feed(to("POST /headers", { "Transfer-Encoding: chunked" },
      "0\r\nX: 1\r\nHost: b\r\n\r\n")))
    assert.equal("host=a\ntransfer-encoding=chunked", list[1].body)
  end)
end)
