-- A template, text with `<% … %>` in it, becomes a Lua function that writes it. The Lua code made of it has the same
-- lines, so that errors name the template's own; it is a flat list of calls with their texts in them, so that no limit
-- of Lua (200 locals, 255 upvalues) bounds a template's length.

local html = require "sprylua.html"
local nearest = require "sprylua.nearest"

local M = {}

-- On the first line, in front of the template's own first line.
local HEAD = "local _ENV, __text, __escaped, __raw = ...;"
local WRITERS = { ["="] = "__escaped", ["-"] = "__raw" }
local SHOWN = 40 -- bytes of an expression that a message shows

-- ── from tags to Lua ────────────────────────────────────────────────────────

local function breaks(text)
  local _, count = text:gsub("\n", "")
  return ("\n"):rep(count)
end

-- A string as Lua source on one line.
local function quoted(text)
  return (("%q"):format(text):gsub("\\\n", "\\n"))
end

-- Where the string in quotes that begins at `at` has ended; nil when it does not.
local function behind_string(code, at)
  local quote = code:sub(at, at)
  at = code:find("[\\" .. quote .. "]", at + 1)
  while at and code:sub(at, at) == "\\" do
    at = code:find("[\\" .. quote .. "]", at + 2)
  end
  return at and at + 1
end

-- The same for [[…]] and [==[…]==]; `at` is that of the first bracket. False when none begins there.
local function behind_long(code, at)
  local level = code:match("^%[(=*)%[", at)
  if not level then
    return false
  end
  local _, last = code:find("]" .. level .. "]", at, true)
  return last and last + 1
end

-- Without a comment that runs to the end of the code, for it would swallow what is put behind the code on its line.
local function without_last_comment(code)
  local at = code:find("--", 1, true) and 1
  while at do
    at = code:find("[\"'%[-]", at)
    if at and code:find("^%-%-", at) then
      local behind = behind_long(code, at + 2)
      local line_end = code:find("\n", at, true)
      if behind == false and not line_end then
        return code:sub(1, at - 1)
      end
      at = behind == false and line_end or behind
    elseif at and code:find("^[\"']", at) then
      at = behind_string(code, at)
    elseif at then
      local behind = behind_long(code, at)
      at = behind == false and at + 1 or behind
    end
  end
  return code
end

-- Lua takes a "\r" for a line of its own; we count "\n" alone.
local function normalized(code)
  return (code:gsub("\r\n", "\n"):gsub("\r", " "))
end

local function shown(expression)
  local text = expression:match "^%s*([^\n]*)":gsub("%s+$", "")
  return #text > SHOWN and text:sub(1, SHOWN) .. "…" or text
end

local function text_code(text)
  return text == "" and "" or "__text" .. quoted(text) .. ";" .. breaks(text)
end

local function tag_code(kind, body)
  if kind == "#" then
    return breaks(body)
  end
  local code = without_last_comment(normalized(body))
  if kind == "" then
    return code .. ";"
  end
  return ("%s((%s),%s);"):format(WRITERS[kind], code, quoted(shown(code)))
end

-- The tag that begins at `open`: its kind, what is in it, where the text goes on, and whether that is a line further.
-- Nil when it is never closed.
local function read_tag(text, open)
  local kind = text:match("^[=#-]?", open + 2)
  local from = open + 2 + #kind
  local close = text:find("%>", from, true)
  if not close then
    return nil
  end
  local body, rest = text:sub(from, close - 1), close + 2
  if body:sub(-1) ~= "-" then
    return kind, body, rest, false
  end
  local _, line_end = text:find("^\r?\n", rest)
  return kind, body:sub(1, -2), line_end and line_end + 1 or rest, line_end ~= nil
end

-- The Lua source, or nil and the offset of a tag that is never closed.
local function source_of(text)
  local out, at = { HEAD }, 1
  while true do
    local open = text:find("<%", at, true)
    out[#out + 1] = text_code(text:sub(at, (open or 0) - 1))
    if not open then
      return table.concat(out)
    elseif text:sub(open + 2, open + 2) == "%" then
      out[#out + 1] = text_code "<%"
      at = open + 3
    else
      local kind, body, rest, trimmed = read_tag(text, open)
      if not kind then
        return nil, open
      end
      out[#out + 1] = tag_code(kind, body) .. (trimmed and "\n" or "")
      at = rest
    end
  end
end

-- ── what the tags write ─────────────────────────────────────────────────────

local NO_NAMES = { ["nil"] = true, ["true"] = true, ["false"] = true }

local function about_nil(source, env)
  if not source:find "^[%a_][%w_]*$" or NO_NAMES[source] then
    return ("%s is nil; where it may be missing, write <%%= %s or \"\" %%>"):format(source, source)
  end
  local names = {}
  for name in next, env do
    names[#names + 1] = name
  end
  table.sort(names)
  return ("there is no value named '%s'%s"):format(source, nearest.hint(source, names))
end

-- The text of a value that is no string, or nil and what is wrong with it.
local function text_of(value, source, env)
  local kind, meta = type(value), getmetatable(value)
  if kind == "number" or kind == "boolean" or type(meta) == "table" and meta.__tostring then
    return tostring(value)
  elseif value == nil then
    return nil, about_nil(source, env)
  end
  return nil, ("%s is a %s; only strings, numbers and booleans can be written"):format(source, kind)
end

-- What is wrong, said at the template's line: two functions up is the one that Lua made of it.
local function fail(label, sentence)
  error(("%s:%d: %s"):format(label, debug.getinfo(3, "l").currentline, sentence), 0)
end

local function run(chunk, label, env)
  local out, count = {}, 0
  local function text(piece)
    count = count + 1
    out[count] = piece
  end
  local function escaped(value, source)
    count = count + 1
    if type(value) == "string" then
      out[count] = html.escape(value)
      return
    end
    local written, problem = text_of(value, source, env)
    if not written then
      fail(label, problem)
    end
    out[count] = html.is(value) and written or html.escape(written)
  end
  local function raw(value, source)
    local written, problem = value, nil
    if type(value) ~= "string" then
      written, problem = text_of(value, source, env)
    end
    if not written then
      fail(label, problem)
    end
    count = count + 1
    out[count] = written
  end
  chunk(env, text, escaped, raw)
  return table.concat(out)
end

-- ── compiling ───────────────────────────────────────────────────────────────

-- Lua puts a name in front that it may have shortened. Of our own code it sees the ";" that ends a tag, and the calls.
local function syntax_problem(label, message)
  local line, sentence = message:match "^[^\n]-:(%d+): (.*)$"
  sentence = sentence:gsub("near ';'$", "near '%%>'"):gsub("near '__%l+'$", "near what follows the tag")
  return ("%s:%s: %s"):format(label, line, sentence)
end

---@param text string
---@param label string the file's name in messages
---@return (fun(env: table): string)? render writes it with the names in `env`; raises "label:line: …"
---@return string? problem "label:line: …"
function M.compile(text, label)
  local source, unclosed = source_of(text)
  if not source then
    local line = 1 + #breaks(text:sub(1, unclosed --[[@as integer]]))
    return nil, ("%s:%d: a tag that begins here has no %%>"):format(label, line)
  end
  local chunk, message = load(source, "@" .. label, "t")
  if not chunk then
    return nil, syntax_problem(label, message)
  end
  return function(env)
    return run(chunk, label, env)
  end
end

return M
