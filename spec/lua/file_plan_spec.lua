local file_plan = require "sprylua.file_plan"
local response = require "sprylua.response"
local testing = require "sprylua.testing"

describe("file_plan", function()
  local DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
  local ETAG = '"a"'

  after_each(testing.reset)

  local function found(extra)
    return setmetatable(extra or {}, { __index = {
      path = "x.js", size = 100, type = "text/javascript", etag = ETAG, date = DATE, modified = 784111777,
      dated = 784111777,
    } })
  end

  -- The plan for a request with these headers; what a `beside` has lies beside x.js.
  local function plan(headers, opts)
    opts = opts or {}
    local made = response.Response(nil, { status = opts.status, headers = opts.set })
    made.file = { path = "x.js", found = found(), look = function(path)
      return path == "x.js" and opts.gone == nil and found() or (opts.beside or {})[path]
    end }
    return file_plan.make(made, testing.event { method = opts.method, headers = headers })
  end

  local function ranges_of(headers, opts)
    local list = {}
    local made = plan(headers, opts)
    for i, range in ipairs(made.ranges or {}) do
      list[i] = range.first .. "-" .. range.last
    end
    return made.ranges and table.concat(list, " ") or made.refused or "all"
  end

  it("sends all to who asks for nothing special", function()
    local made = plan {}
    assert.equal("x.js", made.chosen.path)
    assert.same({ ETAG, DATE, false }, { made.etag, made.date, made.varies })
    assert.is_nil(made.refused)
    assert.is_nil(made.ranges)
  end)

  it("evaluates conditions in their order", function()
    for _, case in ipairs {
      { { ["if-none-match"] = ETAG }, 304 },
      { { ["if-none-match"] = 'W/"a"' }, 304 },
      { { ["if-none-match"] = '"b"' } },
      { { ["if-none-match"] = '"b"', ["if-modified-since"] = DATE } },
      { { ["if-modified-since"] = DATE }, 304 },
      { { ["if-modified-since"] = "Sun, 06 Nov 1994 08:49:36 GMT" } },
      { { ["if-match"] = '"b"' }, 412 },
      { { ["if-match"] = ETAG } },
      { { ["if-match"] = 'W/"a"' }, 412 },
      { { ["if-match"] = '"b"', ["if-none-match"] = ETAG }, 412 },
      { { ["if-unmodified-since"] = "Sun, 06 Nov 1994 08:49:36 GMT" }, 412 },
      { { ["if-none-match"] = ETAG, range = "bytes=0-1" }, 304 },
      { { ["if-match"] = '"b"', range = "bytes=500-" }, 412 },
    } do
      assert.equal(case[2], plan(case[1]).refused)
    end
  end)

  it("asks for no conditions but those of reading, and of a success", function()
    assert.is_nil(plan({ ["if-none-match"] = ETAG }, { method = "POST" }).refused)
    assert.is_nil(plan({ ["if-match"] = '"b"' }, { method = "POST" }).refused)
    assert.is_nil(plan({ ["if-none-match"] = ETAG }, { status = 404 }).refused)
    assert.equal(304, plan({ ["if-none-match"] = ETAG }, { method = "HEAD" }).refused)
  end)

  it("believes the tag and the date of the route", function()
    local set = { etag = '"mine"', ["last-modified"] = "Mon, 07 Nov 1994 08:49:37 GMT" }
    assert.is_nil(plan({ ["if-none-match"] = ETAG }, { set = set }).refused)
    assert.equal(304, plan({ ["if-none-match"] = '"mine"' }, { set = set }).refused)
    assert.is_nil(plan({ ["if-modified-since"] = DATE }, { set = set }).refused)
    assert.is_nil(plan({ ["if-modified-since"] = DATE }, { set = { ["last-modified"] = "yesterday" } }).refused)
  end)

  it("cuts ranges for GET alone, and for what would be a 200", function()
    assert.equal("0-9", ranges_of { range = "bytes=0-9" })
    assert.equal("90-99 0-0", ranges_of { range = "bytes=-10,0-0" })
    assert.equal(416, ranges_of { range = "bytes=100-" })
    assert.equal("all", ranges_of { range = "lines=0-9" })
    assert.equal("all", ranges_of({ range = "bytes=0-9" }, { method = "HEAD" }))
    assert.equal("all", ranges_of({ range = "bytes=0-9" }, { method = "POST" }))
    assert.equal("all", ranges_of({ range = "bytes=0-9" }, { status = 203 }))
    assert.equal("all", ranges_of({ range = "bytes=0-9" }, { set = { ["accept-ranges"] = "none" } }))
  end)

  it("cuts under If-Range only what the client has", function()
    for _, case in ipairs {
      { ETAG, "0-9" }, { DATE, "0-9" }, { '"b"', "all" }, { 'W/"a"', "all" }, { "nonsense", "all" },
      { "Sun, 06 Nov 1994 08:49:38 GMT", "all" },
    } do
      assert.equal(case[2], ranges_of { range = "bytes=0-9", ["if-range"] = case[1] })
    end
    assert.equal("all", ranges_of { range = "bytes=500-", ["if-range"] = '"b"' })
    assert.equal("all", ranges_of { ["if-range"] = ETAG })
  end)

  it("takes what lies beside, and then its tag, its date and its ranges", function()
    local beside = { ["x.js.gz"] = found { path = "x.js.gz", size = 10, etag = '"z"' } }
    local made = plan({ ["accept-encoding"] = "gzip" }, { beside = beside })
    assert.same({ "x.js.gz", "gzip", '"z"', true }, { made.chosen.path, made.coding, made.etag, made.varies })
    assert.is_true(plan({}, { beside = beside }).varies)
    local gzip = { ["accept-encoding"] = "gzip", range = "bytes=5-" }
    assert.equal("5-9", ranges_of(gzip, { beside = beside }))
    gzip["if-range"] = ETAG
    assert.equal("all", ranges_of(gzip, { beside = beside }))
    assert.equal("all", ranges_of({ ["accept-encoding"] = "gzip", range = "bytes=0-1,3-4" }, { beside = beside }))
    assert.equal("0-1 3-4", ranges_of({ range = "bytes=0-1,3-4" }, { beside = beside }))
  end)

  it("leaves alone what is encoded already", function()
    local beside = { ["x.js.gz"] = found { path = "x.js.gz" } }
    local made = plan({ ["accept-encoding"] = "gzip" }, { beside = beside, set = { ["content-encoding"] = "gzip" } })
    assert.same({ "x.js", nil, false }, { made.chosen.path, made.coding, made.varies })
  end)

  it("is a 404 when the file has gone", function()
    local made = response.Response()
    made.file = { path = "x.js", look = function() end }
    local ok, err = pcall(file_plan.make, made, testing.event {})
    assert.is_false(ok)
    assert.equal(404, err.status)
  end)
end)
