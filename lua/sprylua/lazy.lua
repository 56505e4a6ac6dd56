-- `lazy "sprylua.upload"`: a module that is loaded when something of it is first used. For what most projects never
-- need: each module that is loaded costs the start of a server time and memory. Its fields are taken over as they are
-- used, so it suits modules that do not change them.

---@param name string
---@return table module
return function(name)
  return setmetatable({}, {
    __index = function(self, field)
      local value = require(name)[field]
      rawset(self, field, value)
      return value
    end,
  })
end
