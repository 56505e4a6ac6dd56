local disposition = require "sprylua.disposition"

describe("Content-Disposition", function()
  local function names(text)
    return { disposition.names("form-data; " .. text) }
  end

  it("has names as browsers and others write them", function()
    assert.same({ 'a"b' }, names 'name="a%22b"')
    assert.same({ "a\r\nb%2A%" }, names 'name="a%0D%0Ab%2A%"')
    assert.same({ 'a"b' }, names [[name="a\"b"]])
    assert.same({ [[a\]] }, names [[name="a\\"]])
    assert.same({ "a; filename=x" }, names 'name="a; filename=x"')
    assert.same({ "a", "b" }, names "name=a;filename=b")
    assert.same({ "a", "b" }, names 'FileName="b" ; NAME="a"')
    assert.same({ "a", [[C:\dir\x.txt]] }, names [[name="a"; filename="C:\dir\x.txt"]])
    assert.same({ "", "" }, names 'name=""; filename=""')
    assert.same({ "évil" }, names 'name="évil"')
    assert.same({ "open" }, names 'name="open')
  end)

  it("has none where none is", function()
    assert.same({}, names "")
    assert.same({}, names 'names="a"; xname="b"')
    assert.same({ [2] = "x" }, names 'filename="x"')
  end)

  it("takes filename* for the name, if it can be read", function()
    assert.same({ "a", "€ rates.txt" }, names [[name=a; filename="x"; filename*=UTF-8''%e2%82%ac%20rates.txt]])
    assert.same({ "a", "£" }, names [[name=a; filename*=iso-8859-1'en'%A3; filename="x"]])
    for _, text in ipairs { "UTF-8''%ff", "koi8-r''%c1", "x", "UTF-8'%61" } do
      assert.same({ "a", "x" }, names("name=a; filename*=" .. text .. '; filename="x"'))
    end
  end)
end)

describe("a file name from outside", function()
  local function is(expected, text)
    assert.equal(expected, disposition.filename(text))
  end

  it("has no folders", function()
    is("passwd", "../../etc/passwd")
    is("x.txt", [[C:\dir\x.txt]])
    is("x.txt", [[/a\b/..\x.txt]])
  end)

  it("is never empty, nor a folder, nor hidden", function()
    for _, text in ipairs { "", ".", "..", "...", "/", "a/", "a/..", " ", ". .", "\0", "../", [[..\]], "\u{85}" } do
      is("file", text)
    end
    is("htaccess", ".htaccess")
    is("a.txt", " . a.txt. ")
  end)

  it("has no control characters", function()
    is("ab.txt", "a\0b\r\n\t\27.txt\127")
    is("passwd", "..\0/passwd")
    is("ab", "a\u{80}\u{9f}b")
    is("a\u{a0}b", "a\u{a0}b")
  end)

  it("is UTF-8", function()
    is("évil 日本.txt", "évil 日本.txt")
    is("_a_", "\xffa\xe9")
    is("___", "\xed\xa0\x80")
  end)

  it("has 255 bytes at most, whole characters, and its extension", function()
    is(("a"):rep(251) .. ".txt", ("a"):rep(300) .. ".txt")
    is(("é"):rep(125) .. ".txt", ("é"):rep(200) .. ".txt")
    is(("é"):rep(127), ("é"):rep(200))
    is(("a"):rep(255), ("a"):rep(300) .. "." .. ("b"):rep(300))
    is(("a"):rep(255), ("a"):rep(255))
  end)
end)
