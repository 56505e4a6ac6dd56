-- What becomes of Sec-WebSocket-Extensions: RFC 6455 section 9.1, RFC 7692 sections 5 and 7.1.

local cases = require "spec.support.ws_cases"

local ON = { compress = true }
local KEPT = { compress = { contextTakeover = true } }
local SMALL = { compress = { contextTakeover = true, windowBits = 10 } }

local NONE_KEPT = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

-- What the server answers to such offers: the field's value, or nil.
local function answer(offers, options)
  local client <close> = cases.open(cases.app(nil, options), nil, { ["sec-websocket-extensions"] = offers })
  local _, count = client.head:gsub("Sec%-WebSocket%-Extensions", "")
  assert.is_true(count <= 1)
  return client.head:match "\r\nSec%-WebSocket%-Extensions: ([^\r]*)\r\n"
end

describe("an offer of permessage-deflate", function()
  it("is not answered unless the option is on", function()
    for _, options in ipairs { {}, { compress = false } } do
      assert.is_nil(answer("permessage-deflate", options))
      local client <close> = cases.open(cases.app(nil, options), nil, {
        ["sec-websocket-extensions"] = { "permessage-deflate; client_max_window_bits", "permessage-deflate" },
      })
      assert.equal(cases.closed(1002), client:send(cases.text("x", { rsv = 4 })))
    end
  end)

  it("that was not made is not answered", function()
    assert.is_nil(answer(nil, ON))
    assert.is_nil(answer("", ON))
    local client <close> = cases.open(cases.app(nil, ON))
    assert.equal(cases.closed(1002), client:send(cases.text("x", { rsv = 4 })))
  end)

  for _, case in ipairs {
    -- what browsers and Node's ws say
    { "permessage-deflate; client_max_window_bits", ON, NONE_KEPT },
    { "permessage-deflate", ON, NONE_KEPT },
    { "permessage-deflate", KEPT, "permessage-deflate" },
    { "permessage-deflate; client_max_window_bits", KEPT, "permessage-deflate" },
    -- takeover
    { "permessage-deflate; server_no_context_takeover", KEPT, "permessage-deflate; server_no_context_takeover" },
    { "permessage-deflate; client_no_context_takeover", KEPT, "permessage-deflate; client_no_context_takeover" },
    { "permessage-deflate; client_no_context_takeover; server_no_context_takeover", KEPT, NONE_KEPT },
    { "permessage-deflate; client_no_context_takeover; server_no_context_takeover", ON, NONE_KEPT },
    -- the server's window
    { "permessage-deflate; server_max_window_bits=15", KEPT, "permessage-deflate; server_max_window_bits=15" },
    { "permessage-deflate; server_max_window_bits=9", KEPT, "permessage-deflate; server_max_window_bits=9" },
    { "permessage-deflate; server_max_window_bits=12", ON, NONE_KEPT .. "; server_max_window_bits=12" },
    { 'permessage-deflate; server_max_window_bits="10"', KEPT, "permessage-deflate; server_max_window_bits=10" },
    { 'permessage-deflate; server_max_window_bits="1\\0"', KEPT, "permessage-deflate; server_max_window_bits=10" },
    { "permessage-deflate; server_max_window_bits=15", SMALL, "permessage-deflate; server_max_window_bits=10" },
    { "permessage-deflate; server_max_window_bits=9", SMALL, "permessage-deflate; server_max_window_bits=9" },
    { "permessage-deflate", SMALL, "permessage-deflate; server_max_window_bits=10" },
    -- the client's window, of which the server may speak only if the client has
    { "permessage-deflate; client_max_window_bits=8", KEPT, "permessage-deflate; client_max_window_bits=8" },
    { "permessage-deflate; client_max_window_bits=15", KEPT, "permessage-deflate; client_max_window_bits=15" },
    { "permessage-deflate; client_max_window_bits=11", ON, NONE_KEPT .. "; client_max_window_bits=11" },
    { "permessage-deflate; client_max_window_bits", SMALL,
      "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10" },
    { "permessage-deflate; client_max_window_bits=9", SMALL,
      "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9" },
    { "permessage-deflate; client_max_window_bits=15; server_max_window_bits=11; server_no_context_takeover", SMALL,
      "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10" },
    -- declined: zlib can't do it
    { "permessage-deflate; server_max_window_bits=8", ON, nil },
    -- declined: unknown, doubled, or with a value that it must not have
    { "permessage-deflate; unknown", ON, nil },
    { "permessage-deflate; unknown=1", ON, nil },
    { "permessage-deflate; Server_no_context_takeover", ON, nil },
    { "permessage-deflate; server_no_context_takeover; server_no_context_takeover", ON, nil },
    { "permessage-deflate; client_no_context_takeover; client_no_context_takeover", ON, nil },
    { "permessage-deflate; client_max_window_bits; client_max_window_bits", ON, nil },
    { "permessage-deflate; client_max_window_bits; client_max_window_bits=10", ON, nil },
    { "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", ON, nil },
    { "permessage-deflate; server_no_context_takeover=1", ON, nil },
    { "permessage-deflate; client_no_context_takeover=true", ON, nil },
    { 'permessage-deflate; client_no_context_takeover=""', ON, nil },
    { "permessage-deflate; server_max_window_bits", ON, nil },
    { "permessage-deflate; server_max_window_bits=", ON, nil },
    { "permessage-deflate; client_max_window_bits=", ON, nil },
    { "permessage-deflate; server_max_window_bits=7", ON, nil },
    { "permessage-deflate; server_max_window_bits=16", ON, nil },
    { "permessage-deflate; server_max_window_bits=010", ON, nil },
    { "permessage-deflate; server_max_window_bits=1", ON, nil },
    { "permessage-deflate; server_max_window_bits=0", ON, nil },
    { "permessage-deflate; server_max_window_bits=-9", ON, nil },
    { "permessage-deflate; server_max_window_bits=9.0", ON, nil },
    { "permessage-deflate; server_max_window_bits=10000000000000000010", ON, nil },
    { "permessage-deflate; client_max_window_bits=7", ON, nil },
    { "permessage-deflate; client_max_window_bits=16", ON, nil },
    { "permessage-deflate; client_max_window_bits=x", ON, nil },
    -- declined: malformed
    { "permessage-deflate;", ON, nil },
    { "permessage-deflate; ", ON, nil },
    { "permessage-deflate; ; client_max_window_bits", ON, nil },
    { "permessage-deflate client_max_window_bits", ON, nil },
    { "permessage-deflate; =10", ON, nil },
    { "permessage-deflate; client_max_window_bits=10=10", ON, nil },
    { "permessage-deflate; client_max_window_bits=10 11", ON, nil },
    { 'permessage-deflate; client_max_window_bits="10', ON, nil },
    { 'permessage-deflate; client_max_window_bits="10\\', ON, nil },
    { 'permessage-deflate; client_max_window_bits=10"', ON, nil },
    { 'permessage-deflate; client_max_window_bits=" 10"', ON, nil },
    { '"permessage-deflate"', ON, nil },
    -- other extensions, and other names
    { "permessage-deflates", ON, nil },
    { "permessage", ON, nil },
    { "Permessage-Deflate", ON, nil },
    { "x-webkit-deflate-frame", ON, nil },
    { "permessage-bzip2; level=9", ON, nil },
    -- several offers: the first that can be accepted
    { "permessage-deflate; server_max_window_bits=8, permessage-deflate", KEPT, "permessage-deflate" },
    { "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=11", KEPT,
      "permessage-deflate; server_max_window_bits=11" },
    { "permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=12", KEPT,
      "permessage-deflate; server_max_window_bits=10" },
    { { "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=9" }, KEPT,
      "permessage-deflate; server_max_window_bits=9" },
    { { "unknown", "", "permessage-deflate" }, KEPT, "permessage-deflate" },
    { ' ,,unknown; a="b,c" ,\tpermessage-deflate\t;\tclient_no_context_takeover , more', KEPT,
      "permessage-deflate; client_no_context_takeover" },
    { "permessage-deflate;client_max_window_bits=12;server_max_window_bits=13", KEPT,
      "permessage-deflate; server_max_window_bits=13; client_max_window_bits=12" },
    { "permessage-deflate; server_max_window_bits = 13", KEPT, "permessage-deflate; server_max_window_bits=13" },
    -- what stands in quotes is no offer
    { 'unknown; a="x, permessage-deflate, y"', ON, nil },
    { 'unknown; a="x\\", permessage-deflate, y"', ON, nil },
    { 'unknown; a="x, permessage-deflate', ON, nil },
    { 'unknown; a="\\', ON, nil },
    { 'unknown; a="x\\\\", permessage-deflate', KEPT, "permessage-deflate" },
  } do
    local offers, options, expected = case[1], case[2], case[3]
    local name = type(offers) == "table" and table.concat(offers, " | ") or offers
    it(("%s: %s"):format(name, expected or "declined"), function()
      assert.equal(expected, answer(offers, options))
    end)
  end

  it("may be one of very many", function()
    local many = {}
    for i = 1, 400 do many[i] = "permessage-deflate; a" .. i end
    many[401] = "permessage-deflate"
    assert.equal("permessage-deflate", answer(table.concat(many, ","), KEPT))
  end)

  it("that is declined leaves a session without compression", function()
    local client <close> = cases.open(cases.app(nil, { compress = { threshold = 0 } }), nil,
      { ["sec-websocket-extensions"] = "permessage-deflate; server_max_window_bits=8" })
    local text = ("a"):rep(5000)
    assert.equal(cases.from_server("text", text), client:send(cases.text(text)))
    assert.equal(cases.closed(1002), client:send(cases.text("x", { rsv = 4 })))
  end)

  it("is answered with nothing that the client wrote", function()
    local client <close> = cases.open(cases.app(nil, ON), nil, {
      ["sec-websocket-extensions"] = 'reflect; a="me", permessage-deflate; server_max_window_bits="1\\2"',
      ["sec-websocket-protocol"] = "reflect", ["x-any"] = "reflect", origin = "http://reflect",
    })
    assert.is_nil(client.head:find("reflect", 1, true))
    assert.matches("; server_max_window_bits=12\r\n", client.head)
  end)
end)
