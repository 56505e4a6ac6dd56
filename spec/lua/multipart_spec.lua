local multipart = require "sprylua.multipart"

local function body(...)
  return (table.concat({ ... }, "\r\n"))
end

-- The parts of a body that comes in pieces of `cut` bytes: { { name, filename or false, type or false, content }, … };
-- or nil and what is wrong.
local function parse(text, boundary, cut)
  local parts, open = {}, nil
  local parser = multipart.parser(boundary, {
    begin = function(_, part)
      assert.is_nil(open)
      open = { part.name, part.filename or false, part.type or false, "" }
    end,
    content = function(_, bytes)
      assert.is_true(#bytes > 0)
      open[4] = open[4] .. bytes
    end,
    finish = function()
      parts[#parts + 1], open = open, nil
    end,
  })
  for at = 1, #text, cut or #text do
    local ok, problem = parser:feed(text:sub(at, at + (cut or #text) - 1))
    if not ok then
      return nil, problem
    end
  end
  local ok, problem = parser:finish()
  if not ok then
    return nil, problem
  end
  return parts
end

local function part(text)
  return assert(parse(body("--b", "Content-Disposition: form-data; " .. text, "", "v", "--b--"), "b"))[1]
end

local HEAD = 'Content-Disposition: form-data; name="a"'

-- { boundary, body, what comes out or what is said }
local CASES = {
  ["fields and files"] = {
    "X",
    body("--X", 'Content-Disposition: form-data; name="title"', "", "Hello", "--X",
      'Content-Disposition: form-data; name="photo"; filename="a.png"', "Content-Type: image/png", "",
      "\137PNG\r\n\26\n--Y", "--X--", ""),
    { { "title", false, false, "Hello" }, { "photo", "a.png", "image/png", "\137PNG\r\n\26\n--Y" } },
  },
  ["empty values, repeated names, a preamble and an epilogue"] = {
    "b",
    body("ignored", "--b", "content-disposition:form-data;name=a", "", "", "--b \t ", HEAD, "", "2", "--b--",
      "an epilogue", "--b", ""),
    { { "a", false, false, "" }, { "a", false, false, "2" } },
  },
  ["contents with a line that begins like a boundary"] = {
    "bab",
    body("--bab", HEAD, "", "\r\n--ba\r\n--babx", "--bab--"),
    "something behind a boundary",
  },
  ["contents that look like half a boundary"] = {
    "bab",
    body("--bab", HEAD, "", "\r\n--ba\r\r\n--\r\n--ba", "", "-bab--bab\n--bab--", "--bab--"),
    { { "a", false, false, "\r\n--ba\r\r\n--\r\n--ba\r\n\r\n-bab--bab\n--bab--" } },
  },
  ["contents of line breaks"] = {
    "b",
    body("--b", HEAD, "", "", "", "", "--b", HEAD, "", "\r", "--b", HEAD, "", "\n", "--b--"),
    { { "a", false, false, "\r\n\r\n" }, { "a", false, false, "\r" }, { "a", false, false, "\n" } },
  },
  ["no part at all"] = { "b", body("--b--", ""), {} },
  ["nothing"] = { "b", "", "boundary does not appear" },
  ["no boundary"] = { "b", "nothing", "boundary does not appear" },
  ["a boundary without a line of its own"] = { "b", "x--b\r\n" .. HEAD, "boundary does not appear" },
  ["only a boundary"] = { "b", "--b", "last boundary is missing" },
  ["half of the last boundary"] = { "b", body("--b", HEAD, "", "1", "--b-"), "last boundary is missing" },
  ["no last boundary"] = { "b", body("--b", HEAD, "", "1"), "last boundary is missing" },
  ["a header without an end"] = { "b", body("--b", HEAD), "header does not end" },
  ["a longer boundary"] = { "b", body("--bc", "", "x", "--b--"), "something behind a boundary" },
  ["something behind a boundary"] = { "b", body("--b -", HEAD, "", "x", "--b--"), "something behind a boundary" },
  ["one hyphen behind a boundary"] = { "b", body("--b-", HEAD, "", "x", "--b--"), "something behind a boundary" },
  ["blanks without an end"] = { "b", "--b" .. (" "):rep(20000), "something behind a boundary" },
  ["no Content-Disposition"] = {
    "b", body("--b", "Content-Type: text/plain", "", "x", "--b--"), "no \"Content%-Disposition",
  },
  ["no fields"] = { "b", body("--b", "", "x", "--b--"), "no \"Content%-Disposition" },
  ["another disposition"] = {
    "b", body("--b", 'Content-Disposition: attachment; name="a"', "", "x", "--b--"), "no \"Content%-Disposition",
  },
  ["no name"] = { "b", body("--b", "Content-Disposition: form-data", "", "x", "--b--"), "has no name" },
  ["a line that is no field"] = {
    "b", body("--b", "Content-Disposition form-data", "", "x", "--b--"), "header is malformed",
  },
  ["a folded line"] = {
    "b", body("--b", "Content-Disposition: form-data;", ' name="a"', "", "x", "--b--"), "header is malformed",
  },
  ["a header that is too long"] = {
    "b", body("--b", HEAD, "X: " .. ("x"):rep(16 * 1024), "", "x", "--b--"), "header is longer than 16384 bytes",
  },
  ["a header that is too long and has no end"] = {
    "b", body("--b", HEAD, "X: " .. ("x"):rep(17 * 1024)), "header is longer than 16384 bytes",
  },
  ["a content in base64"] = {
    "b", body("--b", HEAD, "Content-Transfer-Encoding: BASE64", "", "eA==", "--b--"), "Content%-Transfer%-Encoding",
  },
  ["a content in no encoding"] = {
    "b", body("--b", HEAD, "Content-Transfer-Encoding: Binary", "", "x", "--b--"), { { "a", false, false, "x" } },
  },
}

describe("multipart", function()
  for name, case in pairs(CASES) do
    it("makes the same of " .. name .. ", wherever it is cut", function()
      local boundary, text, expected = table.unpack(case)
      for cut = 1, math.min(#text, 200), #text > 1000 and 66 or 1 do
        local parts, problem = parse(text, boundary, cut)
        if type(expected) == "string" then
          assert.is_nil(parts)
          assert.matches(expected, problem)
        else
          assert.same(expected, parts, problem)
        end
      end
    end)
  end

  it("makes the same of a header of the longest length, wherever it is cut", function()
    local line = "X: " .. ("x"):rep(16 * 1024 - #HEAD - 5)
    local text = body("--b", HEAD, line, "", "x", "--b--")
    for _, cut in ipairs { 61, 1000, #text - 12, #text - 11, #text - 10, #text } do
      assert.same({ { "a", false, false, "x" } }, parse(text, "b", cut))
      local parts, problem = parse(body("--b", HEAD, line .. "x", "", "x", "--b--"), "b", cut)
      assert.is_nil(parts)
      assert.matches("header is longer", problem)
    end
  end)

  it("gives content on before it is complete, but for what may be a boundary", function()
    local seen = {}
    local parser = multipart.parser("boundary", {
      begin = function() end,
      content = function(_, bytes) seen[#seen + 1] = bytes end,
      finish = function() seen[#seen + 1] = true end,
    })
    local function feed(bytes)
      seen = {}
      assert(parser:feed(bytes))
      return seen
    end
    assert.same({}, feed(body("--boundary", HEAD, "", "")))
    assert.same({ "abc" }, feed "abc")
    assert.same({ "def" }, feed "def\r\n--bo")
    assert.same({ "\r\n--box" }, feed "x")
    assert.same({ "\r" }, feed "\r\r")
    assert.same({}, feed "\n--boundar")
    assert.same({ true }, feed "y")
  end)

  it("goes on saying what was wrong", function()
    local parser = multipart.parser("b", {})
    local _, problem = parser:feed "--bc"
    assert.matches("something behind", problem)
    assert.same({ nil, problem }, { parser:feed "\r\n--b--" })
    assert.same({ nil, problem }, { parser:finish() })
  end)

  it("lets the sink raise", function()
    local parser = multipart.parser("b", { begin = function() error("no more", 0) end })
    assert.has_error(function() parser:feed(body("--b", HEAD, "", "")) end, "no more")
  end)

  it("reads names and types of parts", function()
    assert.same({ "a", "x.txt", false, "v" }, part 'name="a"; filename="x.txt"')
    assert.same({ "a", "", false, "v" }, part 'filename=""; name=a')
    local parts = parse(body("--b", "CONTENT-TYPE:  text/html; charset=x \t", HEAD, "", "", "--b--"), "b")
    assert.same({ { "a", false, "text/html; charset=x", "" } }, parts)
  end)

  it("finds the boundary in a Content-Type", function()
    assert.equal("X", multipart.boundary "multipart/form-data; boundary=X")
    assert.equal("a b", multipart.boundary 'multipart/form-data; charset=utf-8; BOUNDARY="a b"')
    assert.is_nil((multipart.boundary "multipart/form-data"))
    assert.is_nil((multipart.boundary("multipart/form-data; boundary=" .. ("x"):rep(71))))
    assert.is_nil((multipart.boundary 'multipart/form-data; boundary=""'))
    assert.is_nil((multipart.boundary 'multipart/form-data; boundary="a\rb"'))
  end)
end)
