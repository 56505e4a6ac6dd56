// The browser's module of topics under a made-up WebSocket and clock, for what a browser does too slowly or too rarely:
// node topics.js SCENARIO URL (of the module).
"use strict";

const assert = require("node:assert/strict");
const { play } = require("./scenario");

class FakeSocket {
  static OPEN = 1;
  static all = [];

  constructor(url, protocols) {
    Object.assign(this, { url: `${url}`, protocols, readyState: 0, sent: [] });
    FakeSocket.all.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  send(text) {
    assert.equal(this.readyState, 1);
    this.sent.push(JSON.parse(text));
  }

  says(...messages) {
    for (const message of messages) {
      this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
    }
  }

  close() {
    this.readyState = 3;
    this.onclose();
  }
}

const newest = () => FakeSocket.all.at(-1);

// Timers that a scenario fires by hand.
const timers = [];
const listeners = new Map();

const clear = clearTimeout; // fetch has timers of its own

async function load(url) {
  const source = await (await fetch(url, { headers: { connection: "close" } })).text();
  Object.assign(globalThis, {
    WebSocket: FakeSocket,
    location: { href: "https://example.org/page" },
    setTimeout: (fn, delay) => timers.push({ fn, delay }),
    clearTimeout: (timer) => {
      if (typeof timer !== "number") clear(timer);
      else if (timer) timers[timer - 1].fn = () => {};
    },
    addEventListener: (name, fn) => listeners.set(name, fn),
    removeEventListener: (name, fn) => { if (listeners.get(name) === fn) listeners.delete(name); },
  });
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}

// Keeps what its handlers are called with.
function recorder() {
  const calls = [];
  const handlers = {};
  for (const name of ["message", "recovered", "presence", "error"]) {
    handlers[name] = (...values) => calls.push([name, ...values]);
  }
  return { calls, handlers };
}

const ready = (topic, recovered, id) => ({ topic, subscribed: true, recovered, id });
const message = (topic, id, data) => ({ topic, id, data });

play({
  // Once and in order, whatever comes twice, too early, or from another process.
  async once(url) {
    const { connect } = await load(url);
    const topics = connect("/topics", { protocols: ["a"] });
    assert.equal(newest().url, "wss://example.org/topics");
    assert.deepEqual(newest().protocols, ["a"]);
    const { calls, handlers } = recorder();
    topics.subscribe("chat", handlers);
    const first = newest();
    first.open();
    assert.deepEqual(first.sent, [{ subscribe: "chat" }]);
    first.says(message("chat", "e:3", "before the answer"), ready("chat", false, "e:4"), message("chat", "e:4", "old"),
      message("chat", "e:5", 5), message("chat", "e:5", "twice"), message("other", "e:9", "not ours"),
      message("chat", "e:10", 10), message("chat", "e:9", "late"));
    assert.deepEqual(calls.splice(0), [["message", 5, "e:5"], ["message", 10, "e:10"]]);

    first.close();
    timers.at(-1).fn();
    newest().open();
    assert.deepEqual(newest().sent, [{ subscribe: "chat", from: "e:10" }]);
    newest().says(ready("chat", true, "e:12"), message("chat", "e:11", 11), message("chat", "e:12", 12));
    assert.deepEqual(calls.splice(0), [["recovered", true, "e:12"], ["message", 11, "e:11"], ["message", 12, "e:12"]]);

    newest().close();
    timers.at(-1).fn();
    newest().open();
    newest().says(ready("chat", false, "f:1"), message("chat", "f:2", 2), { topic: "chat", presence: "join", key: "k" },
      { topic: "chat", error: "forbidden", action: "publish" });
    assert.deepEqual(calls.splice(0), [["recovered", false, "f:1"], ["message", 2, "f:2"],
      ["presence", { topic: "chat", presence: "join", key: "k" }], ["error", "forbidden", "publish"]]);

    // Given up and taken up again: what was on its way for the first is not for the second.
    topics.unsubscribe("chat");
    topics.unsubscribe("chat");
    topics.subscribe("chat", (data) => calls.push(data), "f:1");
    assert.deepEqual(newest().sent.slice(1), [{ unsubscribe: "chat" }, { subscribe: "chat", from: "f:1" }]);
    newest().says(message("chat", "f:3", "for the first"), ready("chat", true, "f:3"), message("chat", "f:2", 2));
    assert.deepEqual(calls, [2]);
    topics.close();
  },

  // Later and later, never all at once; at once when the browser is online again; never again after close().
  async backoff(url) {
    const { connect } = await load(url);
    const states = [];
    const topics = connect("ws://elsewhere.example/t", { minDelay: 100, maxDelay: 1000, state: (s) => states.push(s) });
    assert.equal(newest().url, "ws://elsewhere.example/t");
    for (const full of [100, 200, 400, 800, 1000, 1000]) {
      newest().close();
      const { fn, delay } = timers.at(-1);
      assert.ok(delay >= full / 2 && delay <= full, `${delay} of ${full}`);
      fn();
    }
    // Opening alone does not make it good: a server may close each connection at once, or after its first words.
    const { now } = Date;
    for (const [lasts, good] of [[0, false], [4000, false], [6000, true]]) {
      newest().open();
      newest().says("anything");
      Date.now = () => now() + lasts;
      newest().close();
      Date.now = now;
      const { fn, delay } = timers.at(-1);
      assert.equal(delay <= 100, good, `${delay} after ${lasts}`);
      fn();
    }
    newest().close();

    const count = FakeSocket.all.length;
    listeners.get("online")();
    assert.equal(FakeSocket.all.length, count + 1);
    listeners.get("online")();
    timers.at(-1).fn(); // it was cancelled
    assert.equal(FakeSocket.all.length, count + 1);

    newest().open();
    topics.close();
    topics.close();
    assert.equal(states.at(-1), "closed");
    assert.equal(listeners.size, 0);
    const before = timers.length;
    assert.equal(topics.publish("a", 1), false);
    assert.equal(timers.length, before);
    assert.equal(FakeSocket.all.length, count + 1);
  },

  // What would be lost without a word: half a character, no value at all, a refusal that no topic of ours hears.
  async mistakes(url) {
    const { connect } = await load(url);
    const refusals = [];
    const topics = connect("/topics", { error: (refusal) => refusals.push(refusal) });
    newest().open();
    assert.equal(topics.publish("a", "cut \u{1f600}".slice(0, 5)), true);
    const { data } = newest().sent[0];
    assert.equal(data, "".toWellFormed ? "cut \ufffd" : "cut \ud83d"); // old browsers have no such function
    for (const value of [undefined, () => 1]) assert.throws(() => topics.publish("a", value), TypeError);
    assert.throws(() => topics.subscribe(5, () => {}), TypeError);
    for (const address of [undefined, null, ""]) assert.throws(() => connect(address), TypeError);
    assert.equal(FakeSocket.all.length, 1);

    // A subscription that works is not replaced by a mistake.
    const heard = [];
    topics.subscribe("k", (value) => heard.push(value));
    newest().says(ready("k", false, "e:0"));
    for (const handlers of [5, "handlers", null, true]) assert.throws(() => topics.subscribe("k", handlers), TypeError);
    newest().says(message("k", "e:1", "still heard"));
    assert.deepEqual(heard, ["still heard"]);

    topics.subscribe("b");
    newest().says(ready("b", false, "e:0"), message("b", "e:1", "nobody listens"));
    newest().says({ topic: "a", error: "forbidden", action: "publish" });
    assert.deepEqual(refusals, [{ topic: "a", error: "forbidden", action: "publish" }]);
    topics.close();
  },

  // What is published without a connection waits behind the subscriptions, up to a bound.
  async queue(url) {
    const { connect } = await load(url);
    const heard = [];
    const topics = connect("/topics", { maxQueue: 2, message: (text) => heard.push(text) });
    assert.deepEqual([1, 2, 3].map((data) => topics.publish("a", data)), [true, true, false]);
    assert.equal(topics.send({ ask: 1 }), false);
    topics.subscribe("a", () => {});
    newest().open();
    assert.deepEqual(newest().sent, [{ subscribe: "a" }, { publish: "a", data: 1 }, { publish: "a", data: 2 }]);
    assert.equal(topics.publish("a", 4), true);
    assert.equal(topics.send({ ask: 1 }), true);
    assert.deepEqual(newest().sent.slice(3), [{ publish: "a", data: 4 }, { ask: 1 }]);

    const others = ["no JSON", "null", "5", '"text"', "[]", '{"x":1}'];
    newest().says(...others);
    assert.deepEqual(heard, others);
    newest().says({ topic: "a" }, { topic: "a", id: 5 }, { topic: "b", id: "e:1" }, { topic: null }); // nothing raises
    topics.close();
  },
});
