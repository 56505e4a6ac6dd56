local file = require "sprylua.file"
local response = require "sprylua.response"
local served_file = require "sprylua.served_file"
local temp_routes = require "spec.support.temp_routes"
local testing = require "sprylua.testing"

describe("served_file", function()
  local folder

  before_each(function()
    folder = temp_routes.project { ["a.txt"] = "hello", ["big"] = ("x"):rep(300000) }
  end)

  after_each(testing.reset)

  local function fill(name, init)
    local made = response.Response(nil, init)
    served_file.fill(made, folder .. "/" .. name)
    return made
  end

  local function finish(made, request)
    local event = testing.event(request or {})
    return made.finish(made, event)
  end

  local function write(name, text) temp_routes.write(folder, name, text) end

  local function collect(stream)
    local sizes = {}
    stream(function(piece)
      sizes[#sizes + 1] = #piece
      return true
    end)
    return sizes
  end

  it("raises a 404 for what is no file, and for a way out", function()
    for _, name in ipairs { "none", "", "a.txt/x", "../" .. folder:match "[^/]*$" .. "/a.txt", "..", "a.txt\0.png" } do
      local ok, err = pcall(fill, name)
      assert.is_false(ok, name)
      assert.equal(404, err.status)
    end
    assert.is_true(pcall(fill, "a.txt"))
  end)

  it("knows only the type before it is sent", function()
    local made = fill("a.txt", { headers = { ["cache-control"] = "no-cache" } })
    assert.equal("text/plain; charset=utf-8", made.headers:get "content-type")
    assert.is_nil(made.body)
    local sent = finish(made)
    assert.equal("hello", sent.body)
    assert.truthy(sent.headers:get "etag")
    assert.truthy(sent.headers:get "last-modified")
    assert.equal("bytes", sent.headers:get "accept-ranges")
    assert.equal("no-cache", sent.headers:get "cache-control")
    assert.equal("font/x", fill("a.txt", { headers = { ["Content-Type"] = "font/x" } }).headers:get "content-type")
  end)

  it("may be kept for many requests, and is what the file is then", function()
    local made = fill "a.txt"
    assert.equal("hello", finish(made).body)
    write("a.txt", "changed")
    local sent = finish(made, { headers = { range = "bytes=0-2" } })
    assert.same({ 206, "cha", "bytes 0-2/7" }, { sent.status, sent.body, sent.headers:get "content-range" })
    assert.same({ 200, "changed" }, { finish(made).status, finish(made).body })
    assert.is_nil(made.headers:get "etag")
    os.remove(folder .. "/a.txt")
    assert.error(function() finish(made) end)
  end)

  it("sends what is in memory as what is not", function()
    local function of(request, init)
      local sent = finish(fill("a.txt", init), request)
      return { sent.status, tostring(sent.headers), sent.body or false, sent.length or false }
    end
    local requests = {
      {}, { method = "HEAD" }, { method = "POST" }, { headers = { range = "bytes=1-2" } },
      { headers = { ["if-none-match"] = "*" } }, { headers = { ["if-match"] = '"b"' } },
      { headers = { ["if-modified-since"] = "Sun, 06 Nov 2094 08:49:37 GMT" } },
      { headers = { ["if-unmodified-since"] = "Sun, 06 Nov 1994 08:49:37 GMT" } },
    }
    local inits = { {}, { status = 203 }, { headers = { ["cache-control"] = "no-cache" } },
      { headers = { ["content-type"] = "text/x" } }, { headers = { etag = '"mine"' } } }
    local function all()
      local list = {}
      for _, request in ipairs(requests) do
        for _, init in ipairs(inits) do list[#list + 1] = of(request, init) end
      end
      return list
    end
    local expected = all() -- just written, so that it is not kept
    local now = os.time
    os.time = function(...) return now(...) + (select("#", ...) == 0 and 10 or 0) end -- luacheck: ignore
    finally(function() os.time = now end) -- luacheck: ignore
    of {}
    assert.equal("hello", require("sprylua.snapshot").look(folder .. "/a.txt").bytes)
    assert.same(expected, all())
    write("a.txt.gz", "zipped")
    os.time = function(...) return now(...) + (select("#", ...) == 0 and 20 or 0) end -- luacheck: ignore
    assert.equal("zipped", of({ headers = { ["accept-encoding"] = "gzip" } })[3])
    assert.matches("vary: Accept%-Encoding", of({})[2])
    write("a.txt", "changed")
    assert.equal("changed", of({})[3])
  end)

  it("takes what somebody has put in the file's place", function()
    local made = fill "a.txt"
    made.body = "other"
    assert.equal("other", finish(made).body)
    assert.is_nil(finish(made).headers:get "etag")
    made = fill "a.txt"
    made.headers = nil
    assert.equal("hello", finish(made).body)
    made.headers = { ["x-a"] = "b" }
    assert.error_matches(function() finish(made) end, "headers:set")
  end)

  it("sends a large file in pieces of the length it had", function()
    local sent = finish(fill "big")
    assert.is_nil(sent.body)
    assert.equal(300000, sent.length)
    local handle <close> = assert(io.open(folder .. "/big", "ab"))
    handle:write "more"
    handle:flush()
    assert.same({ 131072, 131072, 37856 }, collect(sent.stream))
  end)

  it("stops when the client has gone", function()
    local sent, pieces = finish(fill "big"), 0
    sent.stream(function()
      pieces = pieces + 1
      return nil, "closed"
    end)
    assert.equal(1, pieces)
  end)

  it("breaks off when the file became shorter", function()
    local sent = finish(fill "big")
    write("big", "short")
    assert.error_matches(function() collect(sent.stream) end, "became shorter")
  end)

  it("closes the file however the sending ends", function()
    for _, write_piece in ipairs {
      function() return true end, function() return nil, "closed" end, function() error "broken" end,
    } do
      local opened = assert(file.open(folder .. "/big", "r"))
      pcall(served_file.producer("big", opened, { "--", { first = 0, last = 9 } }), write_piece)
      assert.same({ nil, "the file is closed" }, { opened:read(1, 0) })
    end
  end)

  it("looks again when the file was replaced between a look and its opening", function()
    local made = fill "a.txt"
    local look, looks = made.file.look, 0
    made.file.look = function(path)
      local found = look(path)
      if path == made.file.path then
        looks = looks + 1
        if looks <= 2 then
          write("a.txt", "version " .. ("x"):rep(looks))
        end
      end
      return found
    end
    local sent = finish(made)
    assert.equal("version xx", sent.body)
    assert.matches('^"a%-', sent.headers:get "etag")
    made = fill "a.txt"
    made.file.look = function(path)
      local found = look(path)
      looks = looks + 1
      write("a.txt", ("x"):rep(looks))
      return found
    end
    assert.error_matches(function() finish(made) end, "changes faster")
  end)

  it("answers HEAD with the length alone", function()
    local sent = finish(fill "a.txt", { method = "HEAD" })
    assert.equal(5, sent.length)
    assert.is_nil(sent.body)
    assert.equal(300000, finish(fill "big", { method = "HEAD", headers = { range = "bytes=0-1" } }).length)
  end)

  it("sends an error page as it is", function()
    local made = fill("a.txt", { status = 404 })
    local sent = finish(made, { headers = { range = "bytes=0-1", ["if-none-match"] = "*" } })
    assert.same({ 404, "hello" }, { sent.status, sent.body })
    assert.is_nil(sent.headers:get "etag")
    assert.is_nil(sent.headers:get "accept-ranges")
  end)

  it("keeps of a 304 and of a refusal what belongs to them", function()
    local init = { headers = {
      ["cache-control"] = "max-age=60", vary = "Cookie", ["content-language"] = "en", ["x-mine"] = "kept",
      expires = "Sun, 06 Nov 1994 08:49:37 GMT", ["content-location"] = "/a",
    } }
    local function names(sent)
      local list = {}
      for name in pairs(sent.headers) do
        list[#list + 1] = name
      end
      table.sort(list)
      return table.concat(list, " ")
    end
    local sent = finish(fill("a.txt", init), { headers = { ["if-none-match"] = "*" } })
    assert.equal(304, sent.status)
    assert.is_nil(sent.body or sent.stream)
    assert.equal("cache-control content-location etag expires vary x-mine", names(sent))
    sent = finish(fill("a.txt", init), { headers = { ["if-match"] = '"other"' } })
    assert.same({ 412, "Precondition Failed" }, { sent.status, sent.body })
    assert.equal("content-location content-type vary x-mine", names(sent))
    sent = finish(fill("a.txt", init), { headers = { range = "bytes=5-" } })
    assert.same({ 416, "bytes */5" }, { sent.status, sent.headers:get "content-range" })
  end)

  it("frames several ranges, of a file in memory and of one that is not", function()
    for name, size in pairs { ["a.txt"] = 5, big = 300000 } do
      local made = fill(name, { headers = { ["content-type"] = "text/x" } })
      local sent = finish(made, { headers = { range = "bytes=1-2,-1" } })
      assert.equal(206, sent.status)
      assert.is_nil(sent.headers:get "content-range")
      local boundary = sent.headers:get("content-type"):match "^multipart/byteranges; boundary=([%w_-]+)$"
      assert.equal(24, #boundary)
      local parts = { sent.body }
      if sent.stream then
        sent.stream(function(piece)
          parts[#parts + 1] = piece
          return true
        end)
        assert.equal(sent.length, #table.concat(parts))
      end
      local one, last = table.unpack(name == "big" and { "xx", "x" } or { "el", "o" })
      local head = "--BOUND\r\nContent-Type: text/x\r\nContent-Range: bytes %d-%d/" .. size .. "\r\n\r\n%s\r\n"
      local expected = head:format(1, 2, one) .. head:format(size - 1, size - 1, last) .. "--BOUND--\r\n"
      assert.equal((expected:gsub("BOUND", boundary)), table.concat(parts))
    end
  end)
end)
