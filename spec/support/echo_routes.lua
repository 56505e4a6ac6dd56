-- Routes with sessions for clients that others have written. /echo does what some texts say, and tells /seen about its
-- sessions; /proto knows subprotocols.

local compressed_routes = require "spec.support.compressed_routes"

local files = {
  ["seen.lua"] = "return { closes = {}, open = 0, broken = 0, reading = 0 }",
  ["routes/seen.get.lua"] = [[
    local array = require "sprylua".json.array
    local seen = require "seen"
    return function()
      array(seen.closes)
      return seen
    end]],
  ["routes/echo.get.lua"] = [[
    local seen = require "seen"
    local spry = require "sprylua"

    local function obey(ws, text)
      local code, reason = text:match "^close (%d+) (.*)$"
      if code then ws:close(math.tointeger(code), reason) return false end
      if text == "return" then return true end
      if text == "raise" then error "on purpose" end
      if text == "ping me" then ws:ping "are you there?" return false end
      if text:find "^burst " then
        for i = 1, tonumber(text:match "%d+") do ws:sendText(tostring(i)) end
        return true
      end
      if text == "flood" then
        while ws:sendBinary(("x"):rep(65536)) ~= nil do ws:flush() end
        return true
      end
      ws:sendText(text)
    end

    return function(event)
      return event.ws:upgrade(function(ws)
        seen.open = seen.open + 1
        local _ <close> = spry.defer(function() seen.open = seen.open - 1 end)
        for kind, data, reason in ws.events do
          if kind == "close" then
            seen.closes[#seen.closes + 1] = { code = data, reason = reason }
          elseif kind == "binary" then
            ws:sendBinary(data)
          elseif obey(ws, data) then
            return
          end
        end
      end)
    end]],
  ["routes/proto.get.lua"] = [[
    return function(event)
      return event.ws:upgrade(function(ws)
        ws:sendText(ws.protocol or "none")
        ws.events:drain()
      end, { protocol = { "chat.v2", "chat.v1" } })
    end]],
}

for name, text in pairs(compressed_routes) do files[name] = text end

return files
