-- The numbers of the other workers: asked for through the process above them, for as long as somebody scrapes.

local backbone = require "sprylua.backbone"
local json = require "sprylua.json"
local signal = require "sprylua.signal"

local M = {}

local TIMEOUT = 1 -- seconds; who has not answered by then is left out

local arrived = signal.new()
local last = 0

---@type table<string, { expected: integer?, answers: table[] }> by token
local questions = {}

---Answers when others ask.
---@param measure fun(): table<string, string[]>
function M.answer(measure)
  backbone.on("measureFor", function(pid, token)
    backbone.tell("measured", pid, token, json.encode(measure()))
  end)
  backbone.on("measuring", function(token, count)
    local question = questions[token]
    if question then
      question.expected = math.tointeger(tonumber(count))
      arrived:notify()
    end
  end)
  backbone.on("measured", function(token, numbers)
    local question = questions[token]
    if question then
      question.answers[#question.answers + 1] = json.decode(numbers)
      arrived:notify()
    end
  end)
end

---What the others have measured. Waits.
---@return table<string, string[]>[]
function M.ask()
  if not backbone.connected() then
    return {}
  end
  last = last + 1
  local token = tostring(last)
  local question = { answers = {} }
  questions[token] = question
  local _ <close> = setmetatable({}, { __close = function()
    questions[token] = nil
  end })
  backbone.tell("measure", token)
  arrived:wait(function()
    return question.expected ~= nil and #question.answers >= question.expected
  end, TIMEOUT)
  return question.answers
end

return M
