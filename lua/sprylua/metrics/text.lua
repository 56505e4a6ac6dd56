-- Numbers as the text that Prometheus reads, version 0.0.4 of its format.

local M = {}

M.TYPE = "text/plain; version=0.0.4; charset=utf-8"

-- Every family, in the order in which they are shown.
local FAMILIES = {
  { "sprylua_requests_total", "counter", "Answered requests; route is empty when none was asked." },
  { "sprylua_response_bytes_total", "counter", "Bytes of the answers, heads included." },
  { "sprylua_request_seconds", "histogram", "How long answers took, from the head of the request to their end." },
  { "sprylua_connections", "gauge", "Connections that are open, sessions included." },
  { "sprylua_sessions", "gauge", "WebSocket sessions." },
  { "sprylua_accepted_total", "counter", "Connections that were accepted." },
  { "sprylua_received_bytes_total", "counter", "Bytes that peers sent." },
  { "sprylua_sent_bytes_total", "counter", "Bytes that were sent to peers, or are on their way." },
  { "sprylua_messages_received_total", "counter", "WebSocket messages that sessions have read." },
  { "sprylua_messages_sent_total", "counter", "WebSocket messages that were sent, one for each peer." },
  { "sprylua_messages_dropped_total", "counter", "WebSocket messages that were not sent to a slow peer." },
  { "sprylua_slow_closes_total", "counter", "Sessions that were closed because their peer was slow." },
  { "sprylua_buffered_bytes", "gauge", "Bytes that wait for the peers of sessions." },
  { "sprylua_topics", "gauge", "Topics that somebody is subscribed to." },
  { "sprylua_subscriptions", "gauge", "Subscriptions of sessions to topics." },
  { "sprylua_lua_bytes", "gauge", "Bytes of Lua data." },
  { "sprylua_loop_lag_seconds", "gauge", "How late the loop came to a timer of each second, the last time." },
  { "sprylua_resident_bytes", "gauge", "Resident memory of the process." },
}

local ESCAPES = { ["\\"] = "\\\\", ["\""] = "\\\"", ["\n"] = "\\n" }

local function quoted(value)
  return '"' .. tostring(value):gsub('[\\"\n]', ESCAPES) .. '"'
end

---One line: a sample.
---@param name string
---@param labels any[] names and values, in turn
---@param value number
---@return string
function M.sample(name, labels, value)
  local parts = {}
  for i = 1, #labels, 2 do
    parts[#parts + 1] = labels[i] .. "=" .. quoted(labels[i + 1])
  end
  local shown = math.type(value) == "integer" and ("%d"):format(value) or ("%.9g"):format(value)
  return ("%s{%s} %s"):format(name, table.concat(parts, ","), shown)
end

---The whole text: the lines of a family, whoever they come from, have to stand together.
---@param measured table<string, string[]>[] of each worker: samples by family
---@return string
function M.join(measured)
  local lines = {}
  for _, family in ipairs(FAMILIES) do
    local name, kind, help = table.unpack(family)
    lines[#lines + 1] = ("# HELP %s %s"):format(name, help)
    lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
    for _, samples in ipairs(measured) do
      table.move(samples[name] or {}, 1, #(samples[name] or {}), #lines + 1, lines)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
