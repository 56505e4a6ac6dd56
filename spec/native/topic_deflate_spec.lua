-- Topics whose subscribers have agreed on compression: each gets the message in the form that he takes.

local cases = require "spec.support.ws_cases"
local core = require "sprylua.core"
local deflate = require "spec.support.deflate"

local message = ('{"name":"value","list":[1,2,3]},'):rep(100)

local function open(app, offer)
  local client = cases.open(app, nil, offer and { ["sec-websocket-extensions"] = offer })
  core.topic.subscribe(client.seen.ws, "news")
  return client
end

local function publish(app, text)
  local receivers = core.topic.publish("news", text)
  app.core:settle()
  return receivers
end

describe("a message for subscribers with compression", function()
  it("is the same compressed frame for all without a context, and plain for who has none", function()
    local app = cases.app(nil, { compress = { threshold = 100 } })
    local plain <close> = open(app)
    local one <close> = open(app, "permessage-deflate")
    local other <close> = open(app, "permessage-deflate; client_max_window_bits")
    local narrow <close> = open(app, "permessage-deflate; server_max_window_bits=9")
    assert.equal(4, publish(app, message))
    local first = plain:frames()
    assert.equal(1, #first)
    assert.same({ 0, message }, { first[1].rsv, first[1].payload })
    local payloads = {}
    for i, client in ipairs { one, other, narrow } do
      local got = client:frames()
      assert.equal(1, #got)
      assert.equal(4, got[1].rsv)
      payloads[i] = got[1].payload
      assert.equal(message, deflate.inflater():message(got[1].payload))
    end
    assert.is_true(payloads[1] == payloads[2])
  end)

  it("goes on with each one's own context", function()
    local app = cases.app(nil, { compress = { threshold = 0, contextTakeover = true } })
    local one <close> = open(app, "permessage-deflate")
    local inflater = deflate.inflater()
    for i = 1, 3 do
      publish(app, message .. i)
      assert.equal(message .. i, inflater:message(one:frames()[1].payload))
    end
  end)

  it("is plain below the threshold, and where compression would not make it smaller", function()
    local app = cases.app(nil, { compress = { threshold = 100 } })
    local one <close> = open(app, "permessage-deflate")
    for _, text in ipairs { message:sub(1, 99), (deflate.noise(2000):gsub("[\x80-\xff]", "~")) } do
      publish(app, text)
      local got = one:frames()
      assert.equal(1, #got)
      if got[1].rsv == 0 then
        assert.equal(text, got[1].payload)
      else
        assert.is_true(#got[1].payload < #text)
      end
    end
  end)
end)
