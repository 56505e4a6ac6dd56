local news = require("sprylua").topic "news"

return function(event) return news:events(event) end
