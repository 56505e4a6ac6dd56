-- The browser's side of spry.serveTopics, an ES module as text: here it is part of the program like any Lua file.
return [==[
// Topics over one WebSocket that comes back by itself: sprylua, docs/client.md.
export function connect(url, options = {}) {
  return new Topics(url, options);
}

class Topics {
  #url; #options; #socket; #timer; #attempts = 0; #since; #closed = false;
  #topics = new Map(); // name → { handlers, id: of the last message, live: the server has answered }
  #queue = []; // texts to be published
  #online = () => { clearTimeout(this.#timer); if (!this.#socket) this.#open(); };

  constructor(url, options) {
    if (!url) throw new TypeError("connect needs an address");
    this.#url = new URL(url, location.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#options = { minDelay: 500, maxDelay: 30000, maxQueue: 100, ...options };
    addEventListener("online", this.#online);
    this.#open();
  }

  // handlers: a function(data, id), or { message(data, id), recovered(all, id), presence(change), error(reason) }.
  subscribe(topic, handlers = {}, from) {
    if (typeof topic !== "string") throw new TypeError("a topic's name is a string");
    if (typeof handlers === "function") handlers = { message: handlers };
    if (Object(handlers) !== handlers) throw new TypeError("handlers are a function or an object");
    this.#topics.set(topic, { handlers, id: from, live: false });
    this.#send({ subscribe: topic, from });
  }

  unsubscribe(topic) {
    if (this.#topics.delete(topic)) this.#send({ unsubscribe: topic });
  }

  // Whether it was sent, or waits for the next connection; false when too much waits already.
  publish(topic, data) {
    if (JSON.stringify(data) === undefined) throw new TypeError("what is published is a JSON value");
    const message = { publish: topic, data };
    if (this.#send(message)) return true;
    if (this.#closed || this.#queue.length >= this.#options.maxQueue) return false;
    this.#queue.push(message);
    return true;
  }

  // Anything else, to the session's own opts.message; only while there is a connection.
  send(value) {
    return this.#send(value);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#online);
    this.#topics.clear();
    this.#queue = [];
    this.#socket?.close(1000);
  }

  #send(value) {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (open) this.#socket.send(JSON.stringify(value, wellFormed));
    return open;
  }

  #state(name) {
    this.#options.state?.(name);
  }

  #open() {
    const socket = this.#socket = new WebSocket(this.#url, this.#options.protocols ?? []);
    socket.onopen = () => {
      this.#since = Date.now();
      for (const [subscribe, { id }] of this.#topics) this.#send({ subscribe, from: id });
      for (const message of this.#queue.splice(0)) this.#send(message);
      this.#state("open");
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => {
      this.#socket = undefined;
      if (Date.now() - this.#since > 5000) this.#attempts = 0; // else it was no good
      this.#since = undefined;
      for (const topic of this.#topics.values()) topic.live = false;
      if (!this.#closed) this.#retry();
      this.#state(this.#closed ? "closed" : "lost");
    };
  }

  // Twice as long each time, and never when all others do it.
  #retry() {
    const { minDelay, maxDelay } = this.#options;
    const delay = Math.min(maxDelay, minDelay * 2 ** this.#attempts++);
    this.#timer = setTimeout(() => this.#open(), delay * (0.5 + Math.random() / 2));
  }

  #receive(text) {
    let message;
    try { message = JSON.parse(text); } catch {}
    const topic = this.#topics.get(message?.topic);
    if (!topic) {
      if (message?.topic === undefined) this.#options.message?.(text);
      else if (message.error) this.#options.error?.(message);
    } else if (message.subscribed) {
      this.#subscribed(topic, message);
    } else if (message.error) {
      topic.handlers.error?.(message.error, message.action);
    } else if (message.presence) {
      topic.handlers.presence?.(message);
    } else if (topic.live && isNew(topic.id, message.id)) {
      topic.id = message.id;
      topic.handlers.message?.(message.data, message.id);
    }
  }

  // What was missed comes behind this, when all of it is still there; else the topic goes on from here.
  #subscribed(topic, { recovered, id }) {
    const resumed = topic.id !== undefined;
    topic.live = true;
    if (!recovered) topic.id = id;
    if (resumed) topic.handlers.recovered?.(recovered, id);
  }
}

// Half of a character, as slice() leaves it, is no JSON to the server.
function wellFormed(_, value) {
  return typeof value === "string" && value.toWellFormed ? value.toWellFormed() : value;
}

// An id is "epoch:offset"; an offset of one epoch that is not higher was here before.
function isNew(last, id) {
  const [epoch, offset] = `${last}`.split(":");
  const [nextEpoch, nextOffset] = `${id}`.split(":");
  return epoch !== nextEpoch || Number(nextOffset) > Number(offset);
}
]==]
