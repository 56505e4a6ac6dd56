// WebSocket scenarios, played by the npm package ws: node ws.js SCENARIO URL (that of the routes in echo_routes.lua).
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const WebSocket = require("ws");
const { getJson, play, until } = require("./scenario");

class Client {
  // Resolves when it is open.
  static open(base, path, protocols, options) {
    const client = new Client(base.replace(/^http/, "ws") + path, protocols, options);
    return new Promise((resolve, reject) => {
      client.socket.once("open", () => resolve(client));
      client.socket.once("error", reject);
    });
  }

  constructor(url, protocols = [], options = {}) {
    this.received = [];
    this.waiting = [];
    this.socket = new WebSocket(url, protocols, options);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const { reject } of this.waiting) reject(new Error(`closed with ${code} ${reason}`));
      });
    });
    this.socket.on("error", () => {}); // it is told as a close
    this.socket.on("message", (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(message);
      else this.received.push(message);
    });
  }

  send(data) {
    this.socket.send(data);
  }

  // The next message: a string, or a Buffer when it is binary.
  next() {
    if (this.received.length > 0) return Promise.resolve(this.received.shift());
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  async close(code, reason) {
    this.socket.close(code, reason);
    return this.closed;
  }
}

// Random, but not so random that it could not be compressed.
function randomMessage() {
  const words = ["alpha ", "beta ", "γάμμα ", "delta ", "🦊 ", String(Math.random())];
  const length = Math.floor(2 ** (Math.random() * 9));
  return Array.from({ length }, () => words[Math.floor(Math.random() * words.length)]).join("");
}

// Sends texts and bytes through an echo, twenty on their way at a time.
async function exchange(base, path, perMessageDeflate) {
  const client = await Client.open(base, path, [], { perMessageDeflate });
  assert.match(client.socket.extensions, /^permessage-deflate/);
  const waiting = [];
  let sent = 0;
  for (let i = 0; i < 1000; i++) {
    const message = i % 3 ? randomMessage() : Buffer.from(randomMessage());
    client.send(message);
    sent += Buffer.byteLength(message);
    waiting.push(message);
    if (waiting.length === 20) assert.deepEqual(await client.next(), waiting.shift());
  }
  for (const message of waiting) assert.deepEqual(await client.next(), message);
  const { bytesRead } = client.socket._socket;
  assert.ok(bytesRead < sent * 0.8, `${bytesRead} bytes came for ${sent}`);
  await client.close(1000);
}

const seen = (base) => getJson(base + "seen");

play({
  async echo(base) {
    const client = await Client.open(base, "echo");
    assert.equal(client.socket.extensions, ""); // it offered permessage-deflate
    assert.equal(client.socket.protocol, "");
    const texts = ["hi", "", "Grüße, 世界 🦊", "\0", "x".repeat(125), "x".repeat(126), "x".repeat(65535), "x".repeat(65536)];
    for (const text of texts) {
      client.send(text);
      assert.equal(await client.next(), text);
    }
    for (const size of [0, 1, 125, 126, 65535, 65536, 1024 * 1024]) {
      const bytes = Buffer.alloc(size, (size % 251) + 1);
      client.send(bytes);
      const echoed = await client.next();
      assert.ok(Buffer.isBuffer(echoed));
      assert.ok(echoed.equals(bytes), `${size} bytes`);
    }
    assert.deepEqual(await client.close(1000), { code: 1000, reason: "" });
  },

  // A burst, answered in order.
  async burst(base) {
    const client = await Client.open(base, "echo");
    for (let i = 0; i < 2000; i++) client.send(`message ${i}`);
    for (let i = 0; i < 2000; i++) assert.equal(await client.next(), `message ${i}`);
    await client.close(1000);
  },

  // One message in many frames, with a ping between them.
  async fragments(base) {
    const client = await Client.open(base, "echo");
    const pong = once(client.socket, "pong");
    for (let i = 0; i < 100; i++) {
      client.socket.send(`part ${i},`, { fin: i === 99, binary: false });
      if (i === 50) client.socket.ping("between");
    }
    assert.equal((await pong)[0].toString(), "between");
    assert.equal(await client.next(), Array.from({ length: 100 }, (_, i) => `part ${i},`).join(""));
    await client.close(1000);
  },

  async ping(base) {
    const client = await Client.open(base, "echo");
    for (const data of ["", "hello", "x".repeat(125)]) {
      const pong = once(client.socket, "pong");
      client.socket.ping(data);
      assert.equal((await pong)[0].toString(), data);
    }
    const ping = once(client.socket, "ping"); // ws answers it
    client.send("ping me");
    assert.equal((await ping)[0].toString(), "are you there?");
    client.send("still here");
    assert.equal(await client.next(), "still here");
    await client.close(1000);
  },

  async subprotocol(base) {
    const both = await Client.open(base, "proto", ["unknown", "chat.v1", "chat.v2"]);
    assert.equal(both.socket.protocol, "chat.v2"); // the route prefers it
    assert.equal(await both.next(), "chat.v2");
    await both.close(1000);
    const one = await Client.open(base, "proto", ["chat.v1"]);
    assert.equal(await one.next(), "chat.v1");
    await one.close(1000);
    const none = await Client.open(base, "proto");
    assert.equal(none.socket.protocol, "");
    assert.equal(await none.next(), "none");
    await none.close(1000);
    // ws itself insists on an answer to its question; the server's is a session without a subprotocol.
    await assert.rejects(Client.open(base, "proto", ["unknown"]), /Server sent no subprotocol/);
  },

  async refused(base) {
    const status = (path, options) => new Promise((resolve, reject) => {
      const socket = new WebSocket(base.replace(/^http/, "ws") + path, options);
      socket.on("unexpected-response", (request, response) => {
        response.resume();
        response.on("end", () => socket.terminate());
        resolve(response.statusCode);
      });
      socket.on("open", () => reject(new Error("it was opened")));
      socket.on("error", () => {});
    });
    assert.equal(await status("nowhere"), 404);
    assert.equal(await status("echo", { origin: "https://elsewhere.example" }), 403);
    assert.equal(await status("echo", { protocolVersion: 8 }), 426);
    assert.equal(await status("count"), 405);
  },

  // The client closes: the server's session sees what was said.
  async closeByClient(base) {
    for (const [code, reason] of [[1000, ""], [1001, "leaving"], [3000, "own"], [4999, "ünïcode"]]) {
      const client = await Client.open(base, "echo");
      assert.equal((await client.close(code, reason)).code, code);
      await until(async () => {
        const { closes } = await seen(base);
        const last = closes[closes.length - 1];
        return last && last.code === code && last.reason === reason;
      }, `the session's close ${code} ${reason}`);
    }
    const client = await Client.open(base, "echo");
    assert.deepEqual(await client.close(), { code: 1005, reason: "" });
  },

  // The session closes, returns, or raises.
  async closeByServer(base) {
    const said = async (text) => {
      const client = await Client.open(base, "echo");
      client.send(text);
      return client.closed;
    };
    assert.deepEqual(await said("close 4001 bye"), { code: 4001, reason: "bye" });
    assert.deepEqual(await said("close 1000 "), { code: 1000, reason: "" });
    assert.deepEqual(await said("return"), { code: 1000, reason: "" });
    assert.deepEqual(await said("raise"), { code: 1011, reason: "" });
    assert.equal((await said("x".repeat(2 * 1024 * 1024))).code, 1009);
  },

  // What was sent before the close arrives before it.
  async closeAfterBurst(base) {
    const client = await Client.open(base, "echo");
    client.send("burst 500");
    for (let i = 1; i <= 500; i++) assert.equal(await client.next(), `${i}`);
    assert.deepEqual(await client.closed, { code: 1000, reason: "" });
  },

  // Gone without a close.
  async terminate(base) {
    const client = await Client.open(base, "echo");
    client.send("hi");
    await client.next();
    client.socket.terminate();
    await client.closed;
    await until(async () => (await seen(base)).closes.some((close) => close.code === 1006), "a 1006");
    await until(async () => (await seen(base)).open === 0, "the end of the session");
  },

  // Gone in the middle of a message that the server sends, and of one that it receives.
  async terminateBusy(base) {
    const reader = await Client.open(base, "echo");
    reader.send("flood");
    await reader.next();
    reader.socket.terminate();
    const writer = await Client.open(base, "echo");
    writer.send(Buffer.alloc(1024 * 1024));
    writer.socket.terminate();
    await until(async () => (await seen(base)).open === 0, "the end of both sessions");
  },

  async room(base) {
    const ann = await Client.open(base, "room");
    assert.equal(await ann.next(), "User joined (1 online)");
    const bob = await Client.open(base, "room");
    assert.equal(await bob.next(), "User joined (2 online)");
    assert.equal(await ann.next(), "User joined (2 online)");
    ann.send("ann: hello");
    bob.send("bob: hello yourself");
    for (const client of [ann, bob]) {
      const heard = [await client.next(), await client.next()].sort();
      assert.deepEqual(heard, ["Message: ann: hello", "Message: bob: hello yourself"]);
    }
    bob.socket.terminate();
    assert.equal(await ann.next(), "User left (1 online)");
    await ann.close(1000);
  },

  async many(base) {
    const clients = await Promise.all(Array.from({ length: 200 }, () => Client.open(base, "echo")));
    assert.equal((await seen(base)).open, 200);
    await Promise.all(clients.map(async (client, i) => {
      for (let j = 0; j < 5; j++) {
        client.send(`${i} says ${j}`);
        assert.equal(await client.next(), `${i} says ${j}`);
      }
    }));
    const ends = await Promise.all(clients.map((client, i) => client.close(4000 + i)));
    ends.forEach(({ code }, i) => assert.equal(code, 4000 + i));
    await until(async () => (await seen(base)).open === 0, "the end of all sessions");
  },

  // permessage-deflate, with all that a client may ask for: a thousand messages each way, of all sizes.
  async deflate(base) {
    const settings = [
      true, { threshold: 0 }, { threshold: 0, serverNoContextTakeover: true },
      { threshold: 0, clientNoContextTakeover: true }, { threshold: 0, serverMaxWindowBits: 9 },
      { threshold: 0, clientMaxWindowBits: 9 },
      { threshold: 0, serverMaxWindowBits: 12, clientMaxWindowBits: 13, serverNoContextTakeover: true },
    ];
    for (const path of ["compressed", "takeover", "takeover?bits=9", "takeover?bits=12"]) {
      for (const perMessageDeflate of settings) await exchange(base, path, perMessageDeflate);
    }
    const without = await Client.open(base, "compressed", [], { perMessageDeflate: false });
    assert.equal(without.socket.extensions, "");
    without.send("x".repeat(5000));
    assert.equal(await without.next(), "x".repeat(5000));
    await without.close(1000);
  },

  async deflateLimits(base) {
    const client = await Client.open(base, "takeover", [], { perMessageDeflate: { threshold: 0 } });
    for (let i = 0; i < 100; i++) client.socket.send(`part ${i},`, { fin: i === 99, binary: false, compress: true });
    assert.equal(await client.next(), Array.from({ length: 100 }, (_, i) => `part ${i},`).join(""));
    client.send(Buffer.alloc(1024 * 1024));
    assert.equal((await client.next()).length, 1024 * 1024);
    client.send(Buffer.alloc(16 * 1024 * 1024)); // 16 KiB on the wire
    assert.equal((await client.closed).code, 1009);
  },

  // Connected until the server stops; says "open", then how it ended.
  async stay(base, path) {
    const client = await Client.open(base, path);
    console.log("open");
    const { code, reason } = await client.closed;
    console.log(`closed ${code} ${reason}`);
  },
});
