-- The addresses that a WebSocket client takes: ws://host:port/path?query (RFC 6455 section 3).

local M = {}

local PORT = 80

---@class sprylua.client.Target
---@field host string a name or an address, without the brackets of IPv6
---@field port integer
---@field authority string host and port as the header Host names them
---@field path string with the query

-- The host, and what follows its colon; nil when there is no host.
local function split(authority)
  local literal, rest = authority:match("^%[([%x:.]+)%](.*)$")
  local host = literal
  if not literal then
    host, rest = authority:match("^([%w._-]+)(.*)$")
  end
  if not host or not (rest == "" or rest:find("^:[^:]*$")) then
    return nil
  end
  return host, rest:sub(2)
end

-- The port, from what follows the colon; nil when that is none.
local function port_of(text)
  local port = text == "" and PORT or text:find("^%d+$") and tonumber(text)
  return port and port >= 1 and port <= 65535 and math.tointeger(port) or nil
end

---@param url string
---@return sprylua.client.Target? target
---@return string? message what is wrong with it
function M.parse(url)
  local scheme, rest = url:match("^(%a[%w+.-]*)://(.*)$")
  scheme = scheme and scheme:lower()
  if scheme == "wss" then
    return nil, "wss:// needs TLS, which is not there yet: connect to a ws:// address"
  elseif scheme ~= "ws" then
    return nil, "the address of a WebSocket looks like ws://host:port/path"
  end
  local authority, path = rest:match("^([^/?#]*)(.*)$")
  if authority:find("@", 1, true) then
    return nil, "the address has a user or a password in it: send them as the header Authorization"
  elseif path:find("#", 1, true) then
    return nil, "the address of a WebSocket has no fragment: leave out what begins with #"
  elseif path:find("[^\x21-\x7e]") then
    return nil, "the address has a space or another character in it that is to be percent-encoded"
  end
  local host, digits = split(authority)
  local port = host and port_of(digits)
  if not host then
    return nil, "the address has no host, or one that is not a name or an address such as [::1]"
  elseif not port then
    return nil, "the port of the address is a number from 1 to 65535"
  end
  if path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  local name = host:find(":", 1, true) and "[" .. host .. "]" or host
  return {
    host = host,
    port = port,
    authority = port == PORT and name or ("%s:%d"):format(name, port),
    path = path,
  }
end

return M
