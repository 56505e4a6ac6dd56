-- /admin: only reached with the token.
return function()
  return { message = "Hello, admin" }
end
