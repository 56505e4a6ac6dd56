-- The Lua pattern inside "[id([0-9]+)]": where it ends, and whether it is one. Pure.
--
-- A walk of our own for two reasons: dots and brackets in it belong to the pattern, not to the file name; and Lua
-- notices a malformed pattern only when matching gets that far, which would be a 500 one day.

local M = {}

local MAX_CAPTURES = 32 -- Lua's own

-- "[^%]0-9]" from its "[" to behind its "]", as Lua's own matcher walks it; nil when it never ends.
local function skip_set(name, at)
  at = at + (name:sub(at + 1, at + 1) == "^" and 2 or 1)
  repeat
    if at > #name then
      return nil
    end
    at = at + (name:sub(at, at) == "%" and 2 or 1)
  until name:sub(at, at) == "]"
  return at + 1
end

-- One "%" item of a Lua pattern; returns what comes behind it.
local function skip_escape(name, at, closed)
  local kind = name:sub(at + 1, at + 1)
  if kind == "" then
    return nil, "its pattern ends with '%'"
  elseif kind == "b" then
    if at + 3 > #name then
      return nil, "its '%b' needs two characters, as in '%b()'"
    end
    return at + 4
  elseif kind == "f" and name:sub(at + 2, at + 2) ~= "[" then
    return nil, "its '%f' needs a set behind it, as in '%f[%w]'"
  elseif kind:find("%d") and not closed[tonumber(kind)] then
    return nil, "its '%" .. kind .. "' refers to a capture that is not there"
  end
  return at + 2
end

---Reads from behind the "(".
---@param name string
---@param start integer
---@return string? pattern
---@return integer|string after the position behind the closing ")", or what is wrong
function M.read(name, start)
  local at, open, captures, closed = start, {}, 0, {}
  if name:sub(at, at) == "^" then
    return nil, "its pattern matches the whole value anyway: leave out the '^'"
  end
  while at <= #name do
    local char = name:sub(at, at)
    if char == "%" then
      local after, problem = skip_escape(name, at, closed)
      if not after then
        return nil, problem
      end
      at = after
    elseif char == "[" then
      at = skip_set(name, at)
      if not at then
        return nil, "its pattern has a '[' without a ']'"
      end
    elseif char == "$" and #open == 0 and name:sub(at + 1, at + 1) == ")" then
      return nil, "its pattern matches the whole value anyway: leave out the '$'"
    elseif char == ")" and #open == 0 then
      if at == start then
        return nil, "its pattern is empty"
      end
      return name:sub(start, at - 1), at + 1
    else
      if char == "(" then
        captures = captures + 1
        if captures > MAX_CAPTURES then
          return nil, ("its pattern has more than %d captures"):format(MAX_CAPTURES)
        end
        open[#open + 1] = captures
      elseif char == ")" then
        closed[table.remove(open)] = true
      end
      at = at + 1
    end
  end
  return nil, "its pattern has no closing ')'"
end

return M
