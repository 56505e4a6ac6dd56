-- The address of a Redis server, as the setting `redis` has it: redis://user:password@host:port/db, or rediss:// for
-- TLS.

local M = {}

local PORT = 6379

---@class sprylua.redis.Address
---@field host string a name or an address, without the brackets of IPv6
---@field port integer
---@field user string?
---@field password string?
---@field db integer
---@field tls boolean?

local function is_encoded(text)
  return not text:gsub("%%%x%x", ""):find("%", 1, true)
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- User and password of what stands before the @; the password alone may be given, as ":password".
local function credentials(text)
  local user, password = text:match "^([^:]*):(.*)$"
  if not password or password == "" then
    return nil
  end
  return decoded(password), user ~= "" and decoded(user) or nil
end

local function whole_number(text, least, most)
  local number = text:find "^%d+$" and #text < 10 and math.tointeger(tonumber(text))
  return number and number >= least and number <= most and number or nil
end

---@param url any
---@return sprylua.redis.Address? address
---@return string? message what is wrong with it, without what may be secret in it
function M.parse(url)
  local scheme, rest = tostring(url):match "^(%a+)://(.*)$"
  scheme = scheme and scheme:lower() -- RFC 3986, section 3.1
  if type(url) ~= "string" or not scheme then
    return nil, "must be an address such as redis://127.0.0.1:6379/0"
  elseif scheme ~= "redis" and scheme ~= "rediss" then
    return nil, "must begin with redis://, or rediss:// for TLS"
  end
  local authority, path = rest:match "^([^/]*)/?(.*)$"
  local secret, place = authority:match "^(.*)@(.*)$"
  local password, user
  if secret then
    password, user = credentials(secret)
    if not password then
      return nil, "has a user and no password: redis://user:password@host, or redis://:password@host"
    elseif not is_encoded(secret) then
      return nil, "has a % in its user or password that begins no escape such as %40; a % itself is %25"
    end
  end
  place = place or authority
  local host, digits = place:match "^%[([%x:.]+)%]:?(%d*)$"
  if not host then
    host, digits = place:match "^([%w._-]+):?(%d*)$"
  end
  local port = digits == "" and PORT or digits and whole_number(digits, 1, 65535)
  local db = path == "" and 0 or whole_number(path, 0, 999999)
  if not host then
    return nil, "has no host, or one that is not a name or an address such as [::1]"
  elseif not port then
    return nil, "has a port that is no number from 1 to 65535"
  elseif not db then
    return nil, "ends with the number of a database, as in redis://127.0.0.1:6379/0"
  end
  return { host = host, port = port, user = user, password = password, db = db, tls = scheme == "rediss" or nil }
end

return M
