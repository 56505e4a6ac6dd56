return function()
  return { id = 7, name = "Ada Lovelace", email = "ada@example.org", active = true, balance = 12.5 }
end
