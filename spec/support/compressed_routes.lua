-- Routes that echo with compression, for clients that others have written: /compressed without context takeover, and
-- /takeover with it, in windows of the size that the query says.

return {
  ["echo_back.lua"] = [[
    return function(ws)
      for kind, data in ws.events do
        if kind == "text" then ws:sendText(data) elseif kind == "binary" then ws:sendBinary(data) end
      end
    end]],
  ["routes/compressed.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(require "echo_back", { compress = { threshold = 10 } })
    end]],
  ["routes/takeover.get.lua"] = [[
    return function(event)
      local bits = math.tointeger(tonumber(event.query:get "bits" or 15))
      return event.ws:upgrade(require "echo_back", {
        compress = { threshold = 10, contextTakeover = true, windowBits = bits },
      })
    end]],
}
