-- sprylua.compress, checked by decoders that are not ours: gzip's own program, and Node's zlib.
local compress = require "sprylua.compress"

local DECODERS = {
  gzip = "gzip -dc",
  br = "node -e 'process.stdout.write(require(\"zlib\").brotliDecompressSync(require(\"fs\").readFileSync(0)))'",
}

-- What became of the bytes, and whether the decoder took them for whole.
local function decode(coding, bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  local pipe = assert(io.popen(("%s < %s 2>/dev/null"):format(DECODERS[coding], path), "r"))
  local text = pipe:read "a"
  local whole = pipe:close()
  os.remove(path)
  return text, whole == true
end

-- What can be decoded of a stream that has not ended.
local function decode_part(coding, bytes)
  local script = "const z = require('zlib'), s = z.%s(); s.on('data', d => process.stdout.write(d)); "
    .. "s.on('error', e => process.exit(1)); s.write(require('fs').readFileSync(0)); s.flush()"
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  local create = coding == "gzip" and "createGunzip" or "createBrotliDecompress"
  local pipe = assert(io.popen(('node -e "%s" < %s'):format(script:format(create), path), "r"))
  local text = pipe:read "a"
  pipe:close()
  os.remove(path)
  return text
end

local function noise(n)
  return require("sprylua.core").crypto.random(n)
end

for _, coding in ipairs { "gzip", "br" } do
  describe("an encoder of " .. coding, function()
    local LEVEL = 4

    local function encoder() return compress.encoder(coding, LEVEL) end

    it("makes what others read", function()
      for _, text in ipairs { "", "x", ("hello "):rep(1000), noise(100000), ("\0"):rep(1000000) } do
        local bytes = encoder():finish(text)
        local decoded, whole = decode(coding, bytes)
        assert.is_true(whole)
        assert.is_true(decoded == text)
      end
    end)

    it("makes less of it", function()
      assert.is_true(#encoder():finish(("hello "):rep(1000)) < 100)
    end)

    it("takes it in pieces of any size", function()
      local e, parts, text = encoder(), {}, {}
      for i, size in ipairs { 0, 1, 7, 100, 16384, 16385, 70000, 0, 300000 } do
        local piece = i % 2 == 0 and noise(size) or ("ab"):rep(size // 2)
        text[#text + 1] = piece
        parts[#parts + 1] = i % 3 == 0 and e:flush(piece) or e:write(piece)
      end
      parts[#parts + 1] = e:finish()
      local decoded, whole = decode(coding, table.concat(parts))
      assert.is_true(whole)
      assert.is_true(decoded == table.concat(text))
    end)

    it("can be decoded up to a flush", function()
      local e = encoder()
      local bytes = e:write "one " .. e:flush "two " .. e:write "three"
      assert.equal("one two ", decode_part(coding, bytes):sub(1, 8))
      local _, whole = decode(coding, bytes)
      assert.is_false(whole)
    end)

    it("says nothing when there is nothing to flush", function()
      local e = encoder()
      e:flush "x"
      assert.equal("", e:flush())
      assert.equal("", e:flush "")
      assert.equal("", e:write "")
    end)

    it("takes every level that there is, and no other", function()
      local least, most = table.unpack(coding == "gzip" and { 1, 9 } or { 0, 11 })
      for level = least, most do
        assert.equal("abcabcabc", (decode(coding, compress.encoder(coding, level):finish "abcabcabc")))
      end
      for _, level in ipairs { least - 1, most + 1, math.maxinteger, math.mininteger } do
        assert.error_matches(function() compress.encoder(coding, level) end, "a level of .* is a whole number from")
      end
      for _, level in ipairs { 1.5, "x", {} } do
        assert.error(function() compress.encoder(coding, level) end)
      end
      assert.error(function() compress.encoder(coding) end)
    end)

    it("is over when it is finished", function()
      local e = encoder()
      e:finish "x"
      for _, method in ipairs { "write", "flush", "finish" } do
        assert.error_matches(function() e[method](e, "x") end, "finished")
      end
    end)

    it("is over at the end of its block, and may be left at any time", function()
      local kept
      do
        local e <close> = encoder()
        e:write(noise(50000))
        kept = e
      end
      assert.error_matches(function() kept:finish() end, "finished")
      encoder():write "never finished"
      local never = encoder()
      collectgarbage()
      local finished <close> = never
      finished:finish()
      collectgarbage()
    end)

    it("takes bytes, and objects of its own kind", function()
      local e = encoder()
      assert.error(function() e:write() end)
      assert.error(function() e:write {} end)
      assert.error(function() e:finish(true) end)
      assert.error(function() e.write("x", "y") end)
      assert.error(function() e.write(io.stdout, "y") end)
      assert.equal("", (decode(coding, e:finish()))) -- and these did it no harm
    end)
  end)
end

describe("compress.encoder", function()
  it("knows two codings", function()
    for _, coding in ipairs { "deflate", "GZIP", "", "identity" } do
      assert.error_matches(function() compress.encoder(coding, 4) end, "invalid option")
    end
    assert.error(function() compress.encoder() end)
  end)
end)
