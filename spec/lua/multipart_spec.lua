local multipart = require "sprylua.multipart"

local function body(...)
  return (table.concat({ ... }, "\r\n"))
end

describe("multipart", function()
  it("reads fields and files", function()
    local form = assert(multipart.parse(body(
      "--X", 'Content-Disposition: form-data; name="title"', "", "Hello", "--X",
      'Content-Disposition: form-data; name="photo"; filename="a.png"', "Content-Type: image/png", "",
      "\137PNG\r\n\26\n--Y", "--X--", ""), "X"))
    assert.same({ "title", "Hello" }, form.fields)
    local photo = { name = "photo", filename = "a.png", type = "image/png", body = "\137PNG\r\n\26\n--Y" }
    assert.same({ photo }, form.files)
  end)

  it("reads empty values, repeated names, and a preamble", function()
    local form = assert(multipart.parse(body("ignored", "--b",
      'content-disposition:form-data;name=a', "", "", "--b  ", 'Content-Disposition: form-data; name="a"', "", "2",
      "--b--", "an epilogue"), "b"))
    assert.same({ "a", "", "a", "2" }, form.fields)
  end)

  it("reads names as browsers and others write them", function()
    local function field(text)
      local part = body("--b", "Content-Disposition: form-data; " .. text, "", "v", "--b--")
      local form = assert(multipart.parse(part, "b"))
      return form.fields[1] or form.files[1]
    end
    assert.equal('a"b', field 'name="a%22b"')
    assert.equal('a"b', field [[name="a\"b"]])
    assert.equal("a; filename=x", field 'name="a; filename=x"')
    assert.equal("évil.txt", field('name="f"; filename="évil.txt"').filename)
    assert.equal("passwd", field('name="f"; filename="../../etc/passwd"').filename)
    assert.equal("x.txt", field([[name="f"; filename="C:\dir\x.txt"]]).filename)
    assert.equal("", field('name="f"; filename=""').filename)
    assert.equal("text/plain", field('name="f"; filename="x"').type)
  end)

  it("says what is malformed", function()
    for sentence, text in pairs {
      ["boundary does not appear"] = "nothing",
      ["last boundary is missing"] = body("--b", 'Content-Disposition: form-data; name="a"', "", "1"),
      ["header does not end"] = body("--b", 'Content-Disposition: form-data; name="a"'),
      ["something behind a boundary"] = body("--bc", "", "x", "--b--"),
      ["no \"Content%-Disposition"] = body("--b", "Content-Type: text/plain", "", "x", "--b--"),
      ["has no name"] = body("--b", "Content-Disposition: form-data", "", "x", "--b--"),
      ["header is malformed"] = body("--b", "Content-Disposition form-data", "", "x", "--b--"),
    } do
      local form, problem = multipart.parse(text, "b")
      assert.is_nil(form)
      assert.matches(sentence, problem)
    end
    assert.is_nil((multipart.parse(body("--b", "", "x", "--b--"), "b")))
  end)

  it("bounds the number of parts", function()
    local part = '\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    assert.equal(1998, #assert(multipart.parse(part:rep(999) .. "\r\n--b--", "b")).fields)
    local form, problem = multipart.parse(part:rep(1500) .. "\r\n--b--", "b")
    assert.is_nil(form)
    assert.matches("more than 1000 parts", problem)
  end)

  it("finds the boundary in a Content-Type", function()
    assert.equal("X", multipart.boundary "multipart/form-data; boundary=X")
    assert.equal("a b", multipart.boundary 'multipart/form-data; charset=utf-8; BOUNDARY="a b"')
    assert.is_nil((multipart.boundary "multipart/form-data"))
    assert.is_nil((multipart.boundary("multipart/form-data; boundary=" .. ("x"):rep(71))))
    assert.is_nil((multipart.boundary 'multipart/form-data; boundary=""'))
  end)
end)
