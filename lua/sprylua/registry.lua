-- Which project and which files stand behind the function that the C side calls for a request. An entry is often the
-- user's own handler, with nothing of ours around it, so what belongs to it is kept beside it.

local core = require "sprylua.core"

local M = {}

---@class sprylua.Entry
---@field source { label: string, role: string } whose return value the entry gives back
---@field errors table[] the error files that see what it raises, the nearest first
---@field app table the project's: `config`, `dev`, `views`

---@type table<function, sprylua.Entry>
local records = setmetatable({}, { __mode = "k" })

---Notes what stands behind `entry`. False when it is noted already for something else: one function can be the handler
---of two files, or of two apps; the caller then puts a function of its own around it.
---@param entry function
---@param record sprylua.Entry
---@return boolean
function M.add(entry, record)
  if records[entry] then
    return false
  end
  records[entry] = record
  return true
end

---The record of the entry that answers `event`.
---@param event table
---@return sprylua.Entry?
function M.of(event)
  return records[core.request.entry(event)]
end

return M
