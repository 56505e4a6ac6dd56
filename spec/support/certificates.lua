-- Certificates for specs of TLS, made by the openssl command in a folder of their own: one authority, and what it
-- vouches for.

local program = require "spec.support.program"

local M = {}

---@class spec.Certificates
---@field folder string
---@field authority string the file of the authority's certificate
local Certificates = {}
Certificates.__index = Certificates

local function run(folder, command)
  local pipe = assert(io.popen(("cd '%s' && { %s; } 2>&1; echo $?"):format(folder, command)))
  local text = pipe:read "a"
  pipe:close()
  assert(text:match "(%d+)\n$" == "0", text)
end

local NEW = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=%s' -keyout %s.key "

---Makes a certificate. `names` is what openssl calls subjectAltName: "DNS:example.org,IP:127.0.0.1".
---@param file string
---@param names string
---@param options { days: integer?, alone: boolean? }? alone: it vouches for itself
---@return string certificate, string key the paths of both
function Certificates:make(file, names, options)
  options = options or {}
  local days = options.days or 2
  if options.alone then
    local command = NEW .. "-x509 -days %d -addext subjectAltName=%s -out %s.crt"
    run(self.folder, command:format(file, file, days, names, file))
  else
    run(self.folder, (NEW .. "-out %s.csr"):format(file, file, file))
    run(self.folder, ("echo subjectAltName=%s >names && openssl x509 -req -in %s.csr -CA authority.crt "
      .. "-CAkey authority.key -CAcreateserial -days %d -extfile names -out %s.crt"):format(names, file, days, file))
  end
  return ("%s/%s.crt"):format(self.folder, file), ("%s/%s.key"):format(self.folder, file)
end

function Certificates:cleanup()
  program.remove(self.folder)
end

---@return spec.Certificates
function M.new()
  local folder = program.folder()
  run(folder, (NEW .. "-x509 -days 2 -out authority.crt"):format("authority", "authority"))
  return setmetatable({ folder = folder, authority = folder .. "/authority.crt" }, Certificates)
end

return M
