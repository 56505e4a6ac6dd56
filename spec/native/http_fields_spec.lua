-- Header fields (RFC 9112 section 5, RFC 9110 section 5) and the one that every request needs, Host (RFC 9112 section
-- 3.2).

local cases = require "spec.support.http_cases"

after_each(cases.clean)

local to = cases.to

local function lines(list) return cases.request("GET /headers HTTP/1.1", list) end

-- A request with one line more than it needs.
local function with(line) return lines { "Host: a", line } end

local function hosts(...) return cases.request("GET /target/x HTTP/1.1", { ... }) end

describe("a header field", function()
  cases.all {
    { "has a name, in any case, and a value", with "X-Some_Name.1: Value", 200, body = "host=a\nx-some_name.1=Value" },
    { "may have any token as its name", with "!#$%&'*+-.^_`|~09az: v", 200, body = "host=a\n!#$%&'*+-.^_`|~09az=v" },
    { "may have no white space before its value", with "X:v", 200, body = "host=a\nx=v" },
    { "loses white space around its value", with "X: \t  v w\t \t", 200, body = "host=a\nx=v w" },
    { "may have an empty value", with "X:", 200, body = "host=a\nx=" },
    { "may have white space for a value", with "X: \t ", 200, body = "host=a\nx=" },
    { "may hold tabs and bytes beyond ASCII", with "X: a\tb\xC3\xA9\xFF", 200, body = "host=a\nx=a\tb\xC3\xA9\xFF" },
    { "may hold colons", with "X: a:b", 200, body = "host=a\nx=a:b" },
    { "may be repeated, and keeps its order", lines { "X: 1", "Host: a", "Y: 2", "x: 3" }, 200,
      body = "x=1\nhost=a\ny=2\nx=3" },
    { "may follow an empty one", lines { "Host: a", "X:", "Y: 1" }, 200, body = "host=a\nx=\ny=1" },
    { "has no white space before its colon", with "X : v", 400 },
    { "has no tab before its colon", with "X\t: v", 400 },
    { "has a name", with ": v", 400 },
    { "has a name that is not white space", with " : v", 400 },
    { "has a colon", with "X", 400 },
    { "has a colon behind its name, not a space", with "X v", 400 },
    { "has a name of ASCII", with "X\xC3\xA9: v", 400 },
    { "has a name without brackets", with "X[]: v", 400 },
    { "has a name without quotes", with 'X"": v', 400 },
    { "has a name without slashes", with "X/: v", 400 },
    { "has a name without NUL", with "X\0: v", 400 },
    { "has a name without control characters", with "X\x01: v", 400 },
    { "has a name without delete characters", with "X\x7f: v", 400 },
    { "has a value without NUL", with "X: a\0b", 400 },
    { "has a value without control characters", with "X: a\x01b", 400 },
    { "has a value without vertical tabs", with "X: \vb", 400 },
    { "has a value without delete characters", with "X: a\x7fb", 400 },
    { "has a value without bare CR", with "X: a\rb", 400 },
    { "has a value without a bare CR that would begin a line", with "X: a\rY: b", 400 },
    { "has a value without bare CR at its end", with "X: a\r", 400 },
    { "has a value without a bare CR alone", with "X:\rY: b", 400 },
    { "ends with CRLF, not with LF", lines { "Host: a\nX: v" }, 400 },
    { "that is empty ends with CRLF, not with LF", lines { "Host: a", "X:\nY: v" }, 400 },
  }
end)

describe("a header section", function()
  cases.all {
    { "does not begin with white space", lines { " Host: a" }, 400 },
    { "does not begin with a tab", lines { "\tHost: a" }, 400 },
    { "does not begin with a line of white space", lines { " ", "Host: a" }, 400 },
    { "has no line that goes on with the one before", lines { "Host: a", "X: 1", " 2" }, 400 },
    { "has no line that goes on with a tab", lines { "Host: a", "X: 1", "\t2" }, 400 },
    { "has no line that goes on with an empty value", lines { "Host: a", "X:", " 2" }, 400 },
    { "has no line of white space at its end", lines { "Host: a", "X: 1", " " }, 400 },
    { "has no folded Host", lines { "Host:", " a" }, 400 },
    { "has no folded Content-Length", lines { "Host: a", "Content-Length: 1", " 2" }, 400 },
    { "has no folded Transfer-Encoding", lines { "Host: a", "Transfer-Encoding:", " chunked" }, 400 },
    { "ends with CRLF, not with LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400 },
    { "ends with CRLF, not with CR", "GET / HTTP/1.1\r\nHost: a\r\n\rX: v\r\n\r\n", 400 },
    { "ends once", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" .. "X: not a header\r\n\r\n", { 200, 400 } },
  }

  -- 16384 bytes of lines, the empty one included: "Host: a", its own line end, and what is given.
  local function of(bytes, field) return with((field or "X: ") ..
    ("x"):rep(bytes - #"Host: a\r\n" - #(field or "X: ") - 4)) end
  local function many(count) return lines { "Host: a", ("a:\r\n"):rep(count - 1) .. "a:" } end

  cases.all {
    { "may be as long as the limit", of(16384), 200 },
    { "over the limit is a 431", of(16385), 431 },
    { "far over the limit is a 431", of(100000), 431 },
    { "over the limit is a 431 before its end has come", of(16400):sub(1, -5), 431 },
    { "over the limit by a name is a 431", of(16385, "X-" .. ("n"):rep(16000) .. ": "), 431 },
    { "over the limit by many lines is a 431", many(4096), 431 },
    { "of many lines under the limit is taken", many(4000), 200 },
    { "over the limit by white space is a 431", with("X: " .. (" "):rep(16384) .. "v"), 431 },
    { "over a small limit is a 431", with "X: 1", 431, limits = { headers = 16 } },
    { "over the limit is a 431 without content for HEAD", cases.request("HEAD / HTTP/1.1", { "X: " ..
      ("x"):rep(16384) }), 431,
      methods = { "HEAD" }, body = "" },
    { "is flawed before it is too long, where that comes first", lines { "X : 1", "Y: " .. ("x"):rep(16384) }, 400 },
    { "is too long before it is flawed, where that comes first", lines { "Y: " .. ("x"):rep(16384), "X : 1" }, 431 },
    { "is as long for each request", of(16384) .. of(16384) .. of(16385), { 200, 200, 431 } },
  }
end)

describe("a Host", function()
  cases.all {
    { "is wanted by HTTP/1.1", hosts(), 400 },
    { "is not wanted by HTTP/1.0", cases.request "GET /target/x HTTP/1.0", 200, closed = true, body = "/target/x|-|" },
    { "is looked at in HTTP/1.0 too", cases.request("GET / HTTP/1.0", { "Host: a b" }), 400 },
    { "comes once", hosts("Host: a", "Host: b"), 400 },
    { "comes once, even when both are the same", hosts("Host: a", "host: a"), 400 },
    { "comes once in HTTP/1.0 too", cases.request("GET / HTTP/1.0", { "Host: a", "Host: a" }), 400 },
    { "may be empty", hosts "Host:", 200, body = "/target/x|-|" },
    { "may be a name", hosts "Host: Example.com", 200, body = "/target/x|-|Example.com" },
    { "may be an IPv4 address", hosts "Host: 127.0.0.1:4000", 200, body = "/target/x|-|127.0.0.1:4000" },
    { "may be an IPv6 address", hosts "Host: [::1]", 200, body = "/target/x|-|[::1]" },
    { "may be an IPv6 address with a port", hosts "Host: [2001:db8::1]:80", 200,
      body = "/target/x|-|[2001:db8::1]:80" },
    { "may have an empty port", hosts "Host: a:", 200, body = "/target/x|-|a:" },
    { "may have the largest port", hosts "Host: a:65535", 200 },
    { "may have white space around it", hosts "Host: \ta ", 200, body = "/target/x|-|a" },
    { "may have an underscore, as many do", hosts "Host: my_host", 200 },
    { "has a port of digits", hosts "Host: a:b", 400 },
    { "has no negative port", hosts "Host: a:-1", 400 },
    { "has one port", hosts "Host: a:1:2", 400 },
    { "has a port that exists", hosts "Host: a:65536", 400 },
    { "has a port that is not huge", hosts "Host: a:18446744073709551696", 400 },
    { "is one name", hosts "Host: a b", 400 },
    { "is no list", hosts "Host: a, b", 400 },
    { "has no path", hosts "Host: a/b", 400 },
    { "has no scheme", hosts "Host: http://a", 400 },
    { "has no query", hosts "Host: a?b", 400 },
    { "has no fragment", hosts "Host: a#b", 400 },
    { "has no user information", hosts "Host: me@a", 400 },
    { "has no backslash", hosts [[Host: a\b]], 400 },
    { "is ASCII", hosts "Host: \xC3\xA9", 400 },
    { "has no open bracket", hosts "Host: [::1", 400 },
    { "has an address between its brackets", hosts "Host: [a]", 400 },
    { "has nothing but a port behind its brackets", hosts "Host: [::1]a", 400 },
    { "has brackets round an IPv6 address", hosts "Host: ::1", 400 },
    { "is not only a port", hosts "Host: :80", 400 },
  }
end)

-- It is not parsed again. All that may differ is what comes before it, and behind it.
describe("a header section like the one of the request before", function()
  local function headers(list) return cases.request("GET /headers HTTP/1.1", list) end
  local function target(line, list) return cases.request(line, list or { "Host: a", "X: 1" }) end
  local long = "X: " .. ("a"):rep(3000)
  local keep = { "Connection: keep-alive" }
  cases.all {
    { "says the same", headers { "hOST: a", "X: 1" } .. headers { "hOST: a", "X: 1" } .. headers { "hOST: a", "X: 1" },
      { 200, 200, 200 }, body = { "host=a\nx=1", "host=a\nx=1", "host=a\nx=1" } },
    { "belongs to another target", target "GET /target/x?y HTTP/1.1" .. target "GET /target/longer/by/far HTTP/1.1" ..
      target "GET /headers HTTP/1.1" .. target "GET /target/z HTTP/1.1", { 200, 200, 200, 200 },
      body = { "/target/x|y|a", "/target/longer/by/far|-|a", "host=a\nx=1", "/target/z|-|a" } },
    { "gives way to a target with a host", target "GET /target/x HTTP/1.1" .. target "GET http://b/target/x HTTP/1.1" ..
      target "GET /target/x HTTP/1.1" .. target "GET http://c/target/x HTTP/1.1" .. target "GET /target/y HTTP/1.1",
      { 200, 200, 200, 200, 200 },
      body = { "/target/x|-|a", "/target/x|-|b", "/target/x|-|a", "/target/x|-|c", "/target/y|-|a" } },
    { "belongs to another method", target "GET /target/x HTTP/1.1" .. target "HEAD /target/x HTTP/1.1" ..
      target "OPTIONS * HTTP/1.1" .. target "GET /target/x HTTP/1.1", { 200, 200, 204, 200 }, seen = 3,
      methods = { "GET", "HEAD", "OPTIONS", "GET" } },
    { "keeps the connection in HTTP/1.1 only", target "GET /get HTTP/1.1" .. target "GET /get HTTP/1.0" ..
      target "GET /get HTTP/1.1", { 200, 200 }, closed = true },
    { "needs a Host in HTTP/1.1 only", target("GET /get HTTP/1.0", keep) .. target("GET /get HTTP/1.0", keep) ..
      target("GET /get HTTP/1.1", keep), { 200, 200, 400 } },
    { "may end the connection", headers { "Host: a" } .. headers { "Host: a" } ..
      headers { "Host: a", "Connection: close" } .. headers { "Host: a" }, { 200, 200, 200 }, closed = true },
    { "differs when a value does", headers { "Host: a", "X: 1" } .. headers { "Host: a", "X: 2" } ..
      headers { "Host: a", "X: 1" }, { 200, 200, 200 }, body = { "host=a\nx=1", "host=a\nx=2", "host=a\nx=1" } },
    { "differs when there is more of it", headers { "Host: a" } .. headers { "Host: a", "X: 1" } ..
      headers { "Host: a" }, { 200, 200, 200 }, body = { "host=a", "host=a\nx=1", "host=a" } },
    { "is malformed where the one before was not", headers { "Host: a" } .. headers { "Host: a", "X" }, { 200, 400 } },
    { "may be long", headers { "Host: a", long } .. headers { "Host: a", long } .. headers { "Host: a" },
      { 200, 200, 200 } },
    { "has content each time", to("POST /echo", { "Content-Length: 2" }, "hi") ..
      to("POST /echo", { "Content-Length: 2" }, "yo") .. to "GET /echo", { 200, 200, 200 },
      body = { "POST:hi", "POST:yo", "GET:" } },
    { "has no content each time", to("POST /echo", { "Content-Length: 0" }) ..
      to("POST /echo", { "Content-Length: 0" }), { 200, 200 }, body = { "POST:", "POST:" } },
    { "has chunks each time", to("POST /echo", { "Transfer-Encoding: chunked" }, "2\r\nhi\r\n0\r\n\r\n") ..
      to("POST /echo", { "Transfer-Encoding: chunked" }, "2\r\nyo\r\n0\r\n\r\n"), { 200, 200 },
      body = { "POST:hi", "POST:yo" } },
    { "asks for an upgrade each time", to("GET /get", { "Connection: Upgrade", "Upgrade: h2c" }) ..
      to("GET /get", { "Connection: Upgrade", "Upgrade: h2c" }), { 200, 200 } },
    { "expects what nobody can meet", headers { "Host: a" } .. headers { "Host: a", "Expect: x" }, { 200, 417 } },
  }
end)
