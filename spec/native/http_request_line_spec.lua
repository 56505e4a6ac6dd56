-- The request line (RFC 9112 section 3): what is a method, a target and a version, and what is refused, with which
-- status.

local cases = require "spec.support.http_cases"

local to = cases.to

after_each(cases.clean)

local function get(line) return cases.request(line, { "Host: a" }) end

describe("a request's method", function()
  cases.all {
    { "may be any that routes know", get "GET / HTTP/1.1" .. get "DELETE / HTTP/1.1" .. get "PATCH / HTTP/1.1", { 200,
      200, 200 } },
    { "may be one of the registry that only a route for every method takes", get "PROPFIND /echo HTTP/1.1", 200,
      body = "PROPFIND:" },
    { "that the path does not take is a 405 with Allow", get "PUT /get HTTP/1.1", 405,
      headers = { allow = "GET, HEAD, OPTIONS" } },
    { "that nobody implements is a 501", get "FOO / HTTP/1.1", 501 },
    { "that begins like a known one is a 501", get "GE / HTTP/1.1", 501 },
    { "that goes on behind a known one is a 501", get "GETS / HTTP/1.1", 501 },
    { "is case-sensitive", get "get / HTTP/1.1", 501 },
    { "may hold any token character", get "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", 501 },
    { "longer than any known is a 501", get(("A"):rep(5000) .. " / HTTP/1.1"), 501 },
    { "that is no token is a 400", get "GE(T / HTTP/1.1", 400 },
    { "with a control character is a 400", get "GE\0T / HTTP/1.1", 400 },
    { "with a byte beyond ASCII is a 400", get "G\xC3\x89T / HTTP/1.1", 400 },
    { "with a tab behind it is a 400", get "GET\t/ HTTP/1.1", 400 },
    { "with white space before it is a 400", get " GET / HTTP/1.1", 400 },
    { "TRACE is not implemented", get "TRACE / HTTP/1.1", 501 },
    { "CONNECT is not implemented", cases.request("CONNECT a:443 HTTP/1.1", { "Host: a:443" }), 501 },
    { "of RTSP is not implemented", get "DESCRIBE / HTTP/1.1", 501 },
    { "of Icecast is not implemented", get "SOURCE / HTTP/1.1", 501 },
    { "PRI is not implemented in HTTP/1.1", get "PRI / HTTP/1.1", 501 },
    { "of a TLS client is a 400", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400 },
  }
end)

describe("a request's target", function()
  local at_limit = "/target/" .. ("x"):rep(8192 - 8)
  cases.all {
    { "is a path", get "GET /target/a/b HTTP/1.1", 200, body = "/target/a/b|-|a" },
    { "may have a query", get "GET /target/?q=1&r=%20 HTTP/1.1", 200, body = "/target|q=1&r=%20|a" },
    { "keeps its query as it stands", get "GET /target/x?q=1&r=%20?/ HTTP/1.1", 200, body = "/target/x|q=1&r=%20?/|a" },
    { "may have an empty query", get "GET /target/x? HTTP/1.1", 200, body = "/target/x||a" },
    { "may hold what a URI escapes but clients do not", get [[GET /target/"<>\^`{|}?"<>\^`{|}[] HTTP/1.1]], 200 },
    { "may be as long as the limit", get("GET " .. at_limit .. " HTTP/1.1"), 200, body = at_limit .. "|-|a" },
    { "over the limit is a 414", get("GET " .. at_limit .. "x HTTP/1.1"), 414 },
    { "far over the limit is a 414", get("GET /" .. ("x"):rep(100000) .. " HTTP/1.1"), 414 },
    { "over the limit is a 414 before its end has come", "GET /" .. ("x"):rep(8192), 414 },
    { "over the limit is a 414 without content for HEAD", get("HEAD /" .. ("x"):rep(8192) .. " HTTP/1.1"), 414,
      methods = { "HEAD" }, body = "" },
    { "over a small limit is a 414", get "GET /target/123 HTTP/1.1", 414, limits = { requestLine = 10 } },
    { "over the limit by its query is a 414", get("GET /?" .. ("x"):rep(8191) .. " HTTP/1.1"), 414 },
    { "may not be missing", get "GET HTTP/1.1", 400 },
    { "may not be empty", get "GET  HTTP/1.1", 400 },
    { "may not have two spaces before it", get "GET  / HTTP/1.1", 400 },
    { "may not have two spaces behind it", get "GET /  HTTP/1.1", 400 },
    { "may not have a tab behind it", get "GET /\tHTTP/1.1", 400 },
    { "may not hold a space", get "GET /a b HTTP/1.1", 400 },
    { "may not hold a fragment", get "GET /a#b HTTP/1.1", 400 },
    { "may not hold a NUL", get "GET /a\0b HTTP/1.1", 400 },
    { "may not hold a control character", get "GET /a\x01b HTTP/1.1", 400 },
    { "may not hold a delete character", get "GET /a\x7fb HTTP/1.1", 400 },
    { "may not hold bytes beyond ASCII", get "GET /\xC3\xA9 HTTP/1.1", 400 },
    { "may not hold a bare CR", get "GET /a\rb HTTP/1.1", 400 },
    { "may not hold a line end", get "GET /a\r\nb HTTP/1.1", 400 },
    { "may not have a broken escape", get "GET /%zz HTTP/1.1", 400 },
    { "may not have an escaped NUL", get "GET /%00 HTTP/1.1", 400 },
    { "may not be relative", get "GET a HTTP/1.1", 400 },
    { "may not be a query alone", get "GET ?a HTTP/1.1", 400 },
    { "in absolute form brings its own host", get "GET http://b:81/target/x?y HTTP/1.1", 200,
      body = "/target/x|y|b:81" },
    { "in absolute form may be without a path", get "GET http://b HTTP/1.1", 200, body = "home" },
    { "in absolute form may have a query alone", get "GET http://b?x HTTP/1.1", 200, body = "home" },
    { "in absolute form may be https, in any case", get "GET HTTPS://[::1]:81/target/x HTTP/1.1", 200,
      body = "/target/x|-|[::1]:81" },
    { "in absolute form still wants a Host", cases.request "GET http://b/ HTTP/1.1", 400 },
    { "in absolute form still wants a sound Host", cases.request("GET http://b/ HTTP/1.1", { "Host: a b" }), 400 },
    { "in absolute form may not have user information", get "GET http://me@b/ HTTP/1.1", 400 },
    { "in absolute form may not have an empty host", get "GET http:///x HTTP/1.1", 400 },
    { "in absolute form may not have a bad port", get "GET http://b:x/ HTTP/1.1", 400 },
    { "in absolute form may not have a large port", get "GET http://b:65536/ HTTP/1.1", 400 },
    { "in absolute form is http", get "GET ftp://b/ HTTP/1.1", 400 },
    { "in absolute form needs both slashes", get "GET http:/b/ HTTP/1.1", 400 },
    { "in authority form is for CONNECT", get "GET a:80 HTTP/1.1", 400 },
    { "* is for OPTIONS", get "OPTIONS * HTTP/1.1", 204,
      headers = { allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", ["content-length"] = false }, seen = 0 },
    { "* is for OPTIONS alone", get "GET * HTTP/1.1", 400 },
    { "* is alone", get "OPTIONS *x HTTP/1.1", 400 },
  }
end)

describe("a request's version", function()
  cases.all {
    { "may be 1.0", cases.request "GET / HTTP/1.0", 200, closed = true },
    { "may be 1.1", get "GET / HTTP/1.1", 200 },
    { "0.9 is a 505", get "GET / HTTP/0.9", 505 },
    { "1.2 is read as 1.1", get "GET / HTTP/1.2", 200 },
    { "1.9 is read as 1.1", get "GET / HTTP/1.9", 200 },
    { "2.0 is a 505", get "GET / HTTP/2.0", 505 },
    { "3.0 is a 505", get "GET / HTTP/3.0", 505 },
    { "9.9 is a 505", get "GET / HTTP/9.9", 505 },
    { "2.0 of HTTP/2's preface is a 505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
    { "2.0 is a 505 with an unknown method too", get "FOO / HTTP/2.0", 505 },
    { "2.0 is a 505 without content for HEAD", get "HEAD / HTTP/2.0", 505, methods = { "HEAD" }, body = "" },
    { "may not be missing, as in HTTP/0.9", "GET /\r\n\r\n", 400 },
    { "may not be empty", get "GET / ", 400 },
    { "has one digit before the dot", get "GET / HTTP/11.1", 400 },
    { "has one digit behind the dot", get "GET / HTTP/1.10", 400 },
    { "has a dot", get "GET / HTTP/1", 400 },
    { "has two numbers", get "GET / HTTP/1.", 400 },
    { "has digits", get "GET / HTTP/1.x", 400 },
    { "has a dot, not a comma", get "GET / HTTP/1,1", 400 },
    { "is written in upper case", get "GET / http/1.1", 400 },
    { "has a slash", get "GET / HTTP 1.1", 400 },
    { "is that of HTTP", get "GET / HTTPS/1.1", 400 },
    { "is not that of RTSP", get "GET / RTSP/1.0", 400 },
    { "is not that of ICE", get "GET / ICE/1.0", 400 },
    { "has nothing behind it", get "GET / HTTP/1.1 ", 400 },
    { "has no word behind it", get "GET / HTTP/1.1 x", 400 },
    { "ends with CRLF, not with LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400 },
    { "ends with CRLF, not with CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400 },
    { "ends with one CR", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400 },
  }
end)

describe("before a request line", function()
  cases.all {
    { "an empty line is skipped", "\r\n" .. get "GET / HTTP/1.1", 200 },
    { "many empty lines are skipped", ("\r\n"):rep(50) .. get "GET / HTTP/1.1", 200 },
    { "an empty line is skipped behind a body", to("POST /echo", { "Content-Length: 2" }, "hi\r\n") ..
      get "GET / HTTP/1.1", { 200, 200 }, body = { "POST:hi", "home" } },
    { "a bare LF is not skipped", "\n" .. get "GET / HTTP/1.1", 400 },
    { "a bare CR is not skipped", "\r" .. get "GET / HTTP/1.1", 400 },
    { "white space is not skipped", " \r\n" .. get "GET / HTTP/1.1", 400 },
    { "a NUL is not skipped", "\0" .. get "GET / HTTP/1.1", 400 },
    { "empty lines alone are no request", "\r\n\r\n", {} },
    { "empty lines alone are no request when the client ends", "\r\n\r\n", {}, finish = true, closed = true },
    { "half an empty line is no request when the client ends", "\r\n\r", {}, finish = true, closed = true },
  }
end)
