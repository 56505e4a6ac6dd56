-- Fills the heap with data that stays, of an ordinary shape: "records" in a list, or "flat", one table of numbers.

local kept = {} -- luacheck: ignore
local shapes = {}

function shapes.records(megabytes)
  local records = {}
  local function is_full() return collectgarbage "count" >= megabytes * 1024 end
  repeat
    for _ = 1, 100 do
      local n = #records + 1
      records[n] = { id = n, name = "customer number " .. n, tags = { "a", "b", n }, active = n % 2 == 0 }
    end
  until is_full()
  return records
end

-- 200 "megabytes" are 650,000 items.
function shapes.flat(megabytes)
  local items = {}
  for n = 1, megabytes * 3250 do items["item " .. n] = n end
  return items
end

return function(event)
  local shape, megabytes = event.params.shape, event.params:int "megabytes"
  kept[shape] = shapes[shape](megabytes)
  return "kept"
end
