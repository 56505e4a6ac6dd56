-- Makes garbage, some 20 KiB of it for each request.
return function()
  local list = {}
  for i = 1, 100 do list[i] = { id = i, text = "garbage " .. i } end
  return { count = #list }
end
