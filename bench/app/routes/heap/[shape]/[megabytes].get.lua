-- Fills the heap with data that stays: "records", a thousand in a list, or "flat", one table with very many fields.

local kept = {} -- luacheck: ignore
local shapes = {}

local function record(n)
  return { id = n, name = "customer number " .. n, tags = { "a", "b", n }, active = n % 2 == 0 }
end

function shapes.records(megabytes)
  local pages = {}
  repeat
    local page, first = {}, #pages * 1000
    for i = 1, 1000 do page[i] = record(first + i) end
    pages[#pages + 1] = page
  until collectgarbage "count" >= megabytes * 1024
  return pages
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
