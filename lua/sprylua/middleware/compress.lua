-- `compress { … }`: sends responses in the content coding that the client would rather have, gzip or Brotli (RFC 9110,
-- section 8.4.1), when their type and size make it worth while.

local accept = require "sprylua.accept"
local compress = require "sprylua.compress"
local options = require "sprylua.options"
local vary = require "sprylua.vary"

---@class sprylua.CompressOptions
---@field threshold integer? bytes from which on a body is compressed: 1024
---@field types string[]? media types, with "*" for any number of characters
---@field gzip integer? level, 1 to 9: 5
---@field br integer? level, 0 to 11: 4
---@field flush boolean? every chunk of a stream is sent at once; otherwise chunks may wait for the next ones
---@field events boolean? server-sent events too, each sent at once

-- Which codings there are, the better one first.
local CODINGS = { "br", "gzip" }

-- What text is made of, and the few binary formats that are not packed already.
local TYPES = {
  "text/*", "*/*+json", "*/*+xml", "*/*+text", "application/json", "application/javascript", "application/xml",
  "application/wasm", "application/x-ndjson", "application/rtf", "application/vnd.ms-fontobject", "font/ttf",
  "font/otf", "font/collection", "image/bmp", "image/vnd.microsoft.icon", "image/x-icon",
}

local EVENTS = "text/event-stream"

local function level(least, most, default)
  return options.rule(("a level from %d to %d"):format(least, most), function(value)
    return math.type(value) == "integer" and value >= least and value <= most
  end, default)
end

-- The levels are for compressing as it is sent, in the thread that serves everybody: gzip's 6 takes a third more time
-- than 5 for a hundredth of the size, and Brotli's 5 half as much again as 4; above that it is for files made ahead.
local RULES = {
  threshold = options.integer(0, 1024),
  types = options.texts(TYPES),
  gzip = level(1, 9, 5),
  br = level(0, 11, 4),
  flush = options.boolean(false),
  events = options.boolean(false),
}

-- ── what is worth it ────────────────────────────────────────────────────────

local function patterns_of(types)
  local list = {}
  for i, text in ipairs(types) do
    list[i] = "^" .. text:lower():gsub("%W", "%%%0"):gsub("%%%*", ".*") .. "$"
  end
  return list
end

local function media_type(response)
  local header = response.headers:get("content-type") or ""
  return (header:match("^[ \t]*([^; \t]*)"):lower())
end

local function is_worth_it(kind, settings)
  if kind == EVENTS then
    return settings.events
  end
  for _, pattern in ipairs(settings.patterns) do
    if kind:find(pattern) then
      return true
    end
  end
  return false
end

local function is_long_enough(response, threshold)
  if response.stream then
    return not response.length or response.length >= threshold
  end
  return type(response.body) == "string" and #response.body >= threshold
end

-- Responses without a body, a part of one (206), and a 101.
local WITHOUT = { [101] = true, [204] = true, [205] = true, [206] = true, [304] = true }

local function forbids(fields)
  local control = fields:get("cache-control")
  return fields:has("content-encoding") or fields:has("content-range")
    or (control and ("," .. control:lower():gsub("%s", "") .. ","):find(",no-transform,", 1, true))
end

-- Whether some client would get this response compressed.
local function is_for_some(response, settings)
  if WITHOUT[response.status] or not is_long_enough(response, settings.threshold)
    or forbids(response.headers) then
    return false
  end
  return is_worth_it(media_type(response), settings)
end

-- ── compressing ─────────────────────────────────────────────────────────────

local function packed(body, coding, settings)
  local encoder <close> = compress.encoder(coding, settings[coding])
  return (encoder:finish(body))
end

-- A producer whose chunks go through an encoder. When it raises, the stream is left without its end, so that nobody
-- takes it for whole.
local function streamed(produce, coding, settings, flushes)
  return function(write)
    local encoder <close> = compress.encoder(coding, settings[coding])
    local step = flushes and encoder.flush or encoder.write
    local open, why = true, nil
    produce(function(chunk)
      if open then
        open, why = write(step(encoder, chunk))
      end
      return open, why
    end)
    if open then
      open, why = nil, "closed" -- for whoever has kept the function
      write(encoder:finish())
    end
  end
end

-- A strong tag promises the same bytes, and these are others.
local function weaken(fields)
  local etag = fields:get("etag")
  if etag and etag:find("^\"") then
    fields:set("etag", "W/" .. etag)
  end
end

-- What a 304 is about is not known any more: it might have been compressed for some. A client that has the compressed
-- body knows it under the weak tag, so a 304 speaks of that one.
local function relabel_unchanged(response, event)
  vary.add(response.headers, "Accept-Encoding")
  local etag, known = response.headers:get("etag"), event.headers:get("if-none-match")
  if etag and known and known:find("W/" .. etag, 1, true) then
    weaken(response.headers)
  end
end

local function apply(response, coding, settings)
  if response.stream then
    local flushes = settings.flush or media_type(response) == EVENTS
    response.stream = streamed(response.stream, coding, settings, flushes)
    response.length = nil
  else
    -- For HEAD as well: its Content-Length is that of a GET.
    local body = packed(response.body, coding, settings)
    if #body >= #response.body then
      return
    end
    response.body = body
  end
  response.headers:set("content-encoding", coding)
  response.headers:delete("accept-ranges")
  weaken(response.headers)
end

local function compressed(response, event, settings)
  if is_for_some(response, settings) then
    vary.add(response.headers, "Accept-Encoding")
    local coding = accept.encoding(event.headers:get("accept-encoding"), CODINGS)
    if coding then
      apply(response, coding, settings)
    end
  elseif response.status == 304 then
    relabel_unchanged(response, event)
  end
  return response
end

-- What a file has to send is known when it is sent: all of it, a part, or nothing.
local function when_finished(response, settings)
  local finish = response.finish
  function response.finish(made, event)
    return compressed(finish(made, event), event, settings)
  end
  return response
end

---@param given sprylua.CompressOptions?
---@return sprylua.Middleware
return function(given)
  local settings = options.read("compress", given, RULES)
  settings.patterns = patterns_of(settings.types)
  return function(event, next)
    local response = next()
    if response.finish then
      return when_finished(response, settings)
    end
    return compressed(response, event, settings)
  end
end
