---@meta sprylua.types
-- What the C side shows to routes, for LuaLS; nothing here runs. A route says `---@param event sprylua.Event`.

---@class sprylua.Event a request; it dies with it
---@field method string
---@field pathname string decoded and resolved; "/" and "%" inside a segment stay encoded
---@field path string pathname and "?" query
---@field url sprylua.Url
---@field headers sprylua.RequestHeaders
---@field query sprylua.Query
---@field params sprylua.Params
---@field cookies sprylua.Cookies
---@field locals table the request's own
---@field request sprylua.Request
---@field ws sprylua.Upgrade
---@field context { runtime: { name: string }, worker: integer }
---@field remoteAddress string
---@field id string

---@alias sprylua.Answer sprylua.Response|string|table
---@alias sprylua.Handler fun(event: sprylua.Event): sprylua.Answer
-- A third argument, the scope, is for sprylua.middleware.every and its like: compose.settle takes it.
---@alias sprylua.Middleware fun(event: sprylua.Event, next: fun(): sprylua.Response): sprylua.Answer
---@alias sprylua.ErrorHandler fun(err: sprylua.Failure|sprylua.HTTPError, event: sprylua.Event): sprylua.Answer?

---@class sprylua.Upgrade a request as a WebSocket handshake
---@field isSupported boolean
---@field isUpgradeRequest boolean
---@field requestedProtocols string[]
---@field origin string?
---@field event sprylua.Event
---@field upgrade fun(self: sprylua.Upgrade, session: fun(ws: sprylua.WebSocket), opts: sprylua.UpgradeOptions?): sprylua.Response

---@class sprylua.Events
---@overload fun(): ("text"|"binary"|"close")?, (string|integer)?, string?
local Events = {}

---Reads and drops until the close.
---@return integer code
---@return string reason
function Events:drain() end

---@class sprylua.WebSocket a session; it may be kept, and used from any coroutine
---@field id string
---@field protocol string? the subprotocol
---@field closed boolean nothing can be sent any more
---@field closeCode integer?
---@field closeReason string?
---@field bufferedAmount integer bytes that the peer has not taken yet
---@field dropped integer messages that were lost because the peer was slow
---@field locals table the session's own
---@field events sprylua.Events `for kind, data in ws.events do`
local WebSocket = {}

---True; false when it is queued but the peer is slow; nil, "closed". Raises when it is not UTF-8.
---@param text string
---@return boolean? sent
---@return string? problem
function WebSocket:sendText(text) end

---@param bytes string
---@return boolean? sent
---@return string? problem
function WebSocket:sendBinary(bytes) end

---@param value any
---@return boolean? sent
---@return string? problem
function WebSocket:sendJson(value) end

---Waits until the peer has taken what is buffered, but for 64 KiB.
---@return boolean? flushed
---@return string? problem "closed"
function WebSocket:flush() end

---The next event. "text"|"binary", payload · "close", code, reason · nil, "timeout".
---@param timeout number? seconds
---@return ("text"|"binary"|"close")? kind
---@return string|integer data
---@return string? reason
function WebSocket:receive(timeout) end

---@param data string? up to 125 bytes
---@return boolean? sent
---@return string? problem
function WebSocket:ping(data) end

---@param code integer? 1000 unless given
---@param reason string? up to 123 bytes
---@return boolean? sent
---@return string? problem
function WebSocket:close(code, reason) end

---As spry.every, until the session ends. A tick that is interrupted ends the session with 1011.
---@param seconds number
---@param fn fun()
---@return sprylua.Repeating
function WebSocket:every(seconds, fn) end

---As spry.after, unless the session ends before.
---@param seconds number
---@param fn fun()
---@return sprylua.Timer
function WebSocket:after(seconds, fn) end

---As spry.spawn; it ends with the session.
---@param fn function
---@return sprylua.Task
function WebSocket:spawn(fn, ...) end

---Gets what is published under the topic, until the session ends. With a history, `from` is the last id that the client has.
---@param topic string
---@param opts { from: string? }?
---@return sprylua.Subscribed? subscribed
---@return string? problem "closed"
function WebSocket:subscribe(topic, opts) end

---@param topic string
---@return boolean whether it was subscribed
function WebSocket:unsubscribe(topic) end

---As spry.publish, to everybody but this ws.
---@param topic string
---@param data any a string goes out as a text, any other value as JSON
---@param opts { binary: boolean? }?
---@return integer receivers
function WebSocket:publish(topic, data, opts) end

---Notes that this session is present in the topic, until it ends.
---@param topic string
---@param meta any what others should know
---@return boolean? tracked
---@return string? problem "closed"
function WebSocket:track(topic, meta) end

---@param topic string
---@return boolean whether it was tracked
function WebSocket:untrack(topic) end
