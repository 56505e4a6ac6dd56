-- Publishing: what may be published, in which form, and which way it takes.

local backbone = require "sprylua.backbone"
local core = require "sprylua.core"
local json = require "sprylua.json"
local records = require "sprylua.topic_record"

local M = {}

local JSON = { table = true, number = true, boolean = true, userdata = true }

-- The payload, and whether it is JSON of ours; nil and what is wrong.
local function encode(data)
  if type(data) == "string" then
    return data, false
  elseif not JSON[type(data)] then
    return nil, ("what is published is a string, or a value for JSON, not %s"):format(
      data == nil and "nil" or "a " .. type(data))
  end
  local ok, text = pcall(json.encode, data)
  if ok then
    return text, true
  end
  return nil, "what is published: " .. tostring(text)
end

local function check_options(opts)
  if type(opts) ~= "table" then
    return ("the options of publish are a table, not a %s"):format(type(opts))
  end
  for key, value in pairs(opts) do
    if key ~= "binary" then
      return ("publish has no option %s; it takes binary"):format(tostring(key))
    elseif type(value) ~= "boolean" then
      return "publish: binary must be true or false"
    end
  end
end

local function send_round(name, text, binary, except)
  local receivers, problem = core.topic.publish(name, text, binary, except)
  if receivers then
    backbone.tell("publish", name, binary and "binary" or "text", text)
  end
  return receivers, problem
end

-- A topic without a history: everybody here gets it at once, the other processes are told, or nobody is.
local function send(name, text, binary, except)
  if backbone.connected() then
    return core.sheltered(send_round, name, text, binary, except)
  end
  return core.topic.publish(name, text, binary, except)
end

backbone.on("publish", function(name, kind, text)
  core.topic.publish(name, text, kind == "binary")
end)

---Publishes to everybody but `except`. Returns nil and a sentence for what its caller has done wrong.
---@param name string
---@param data any
---@param opts { binary: boolean? }?
---@param except table? a ws
---@return integer? receivers
---@return string? problem
function M.distribute(name, data, opts, except)
  local problem = opts and check_options(opts)
  if problem then
    return nil, problem
  end
  local text, encoded = encode(data)
  if not text then
    return nil, encoded --[[@as string]]
  end
  local binary = opts and opts.binary
  local record = records.find(name)
  if not record then
    return send(name, text, binary, except)
  elseif binary then
    return nil, "a topic with a history carries texts and JSON, no binary messages"
  elseif not encoded and not utf8.len(text) then
    return nil, "a text is UTF-8"
  end
  return record:publish(text, encoded, except)
end

return M
