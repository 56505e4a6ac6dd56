-- `require "sprylua"`: every public name, each loaded when it is first used.

---@class sprylua
---@field Response sprylua.Response
---@field HTTPError fun(status: integer, init: table?): sprylua.HTTPError
---@field NotFoundError fun(message: string?): sprylua.HTTPError
---@field MethodNotAllowedError fun(allow: string|string[], message: string?): sprylua.HTTPError
---@field defineHandler fun(definition: sprylua.Definition): sprylua.Definition
---@field render fun(name: string, values: table<string, any>?, init: sprylua.ResponseInit?): sprylua.Response
---@field json { encode: fun(value: any): string, decode: fun(text: string): any, null: any, array: any, object: any }
---@field middleware sprylua.MiddlewareModules
---@field sleep fun(seconds: number)
---@field every fun(seconds: number, fn: fun()): sprylua.Repeating
---@field after fun(seconds: number, fn: fun()): sprylua.Timer
---@field spawn fun(fn: function, ...): sprylua.Task
---@field defer fun(fn: fun(err: any)): table
---@field publish fun(topic: string, data: any, opts: { binary: boolean? }?): integer
---@field topic fun(name: string, opts: { history: integer?, bytes: integer? }?): sprylua.Topic
---@field topics fun(): sprylua.TopicInfo[]
---@field serveTopics fun(ws: table, opts: sprylua.TopicSessionOptions?): integer, string
---@field shared fun(name: string): sprylua.Shared
---@field redis sprylua.Redis
---@field context { runtime: { name: string }, worker: integer } as of every event
---@field presence fun(topic: string): { key: string, meta: any }[]
local M = {}

-- Names that are whole modules.
local modules = { json = "sprylua.json", middleware = "sprylua.middleware" }

local homes = {
  Response = "sprylua.response",
  HTTPError = "sprylua.http_error",
  NotFoundError = "sprylua.http_error",
  MethodNotAllowedError = "sprylua.http_error",
  defineHandler = "sprylua.define_handler",
  render = "sprylua.views",
  sleep = "sprylua.tasks",
  every = "sprylua.tasks",
  after = "sprylua.tasks",
  spawn = "sprylua.tasks",
  defer = "sprylua.tasks",
  publish = "sprylua.topics",
  topic = "sprylua.topics",
  topics = "sprylua.topics",
  presence = "sprylua.topics",
  serveTopics = "sprylua.topic_session",
  shared = "sprylua.shared",
  redis = "sprylua.redis.client",
  context = "sprylua.event",
}

return setmetatable(M, {
  __index = function(_, name)
    local value
    if modules[name] then
      value = require(modules[name])
    elseif homes[name] then
      value = require(homes[name])[name]
    else
      error(("sprylua has no name %s"):format(tostring(name)), 2)
    end
    M[name] = value
    return value
  end,
})
