-- GET /about: a plain table is answered as JSON.
return function(event)
  return {
    name = "sprylua",
    about = "A small C host with Lua inside: files are routes, WebSockets are routes too",
    runtime = event.context.runtime.name,
    lua = _VERSION,
    request = event.id,
  }
end
