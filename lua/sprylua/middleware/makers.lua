-- The names of the middleware that comes with sprylua, and whether a function is one that makes it.

local M = {}

---Each is the module of that name in this folder.
M.names = {
  "basicAuth", "bearer", "bodyLimit", "compress", "cors", "csrf", "etag", "every", "except", "logger", "rateLimit",
  "requestId", "secureHeaders", "session", "some", "timing",
}

---What is wrong with a function in a middleware's place, if it is a maker that nobody has called: `return cors`.
---@param fn function
---@return string? problem
function M.uncalled(fn)
  for _, name in ipairs(M.names) do
    if package.loaded["sprylua.middleware." .. name] == fn then
      return ("%s makes a middleware when it is called: write %s()"):format(name, name)
    end
  end
end

return M
