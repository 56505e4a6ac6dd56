-- /: open to everybody.
return function()
  return "Hello, everybody\n"
end
