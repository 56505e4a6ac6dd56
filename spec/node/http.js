// HTTP scenarios, played by Node's own client: node http.js SCENARIO URL (that of the routes in node_spec.lua).
"use strict";

const assert = require("node:assert/strict");
const { File } = require("node:buffer"); // global from Node 20 on
const http = require("node:http");
const { once } = require("node:events");
const { getJson, play, until } = require("./scenario");

// The answer to one request: { status, headers, body, port, complete }; the port is the client's, one a connection. `write` is given the request, to send its body.
function ask(url, options = {}, write = (request) => request.end()) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.concat(parts),
        port: request.socket.localPort,
        complete: response.complete,
      }));
    });
    request.on("error", reject);
    write(request);
  });
}

const json = (answer) => JSON.parse(answer.body.toString());

play({
  // One socket for everything, the next request sent as soon as the answer to the last is there.
  async keepAlive(base) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const asked = [];
    for (let i = 0; i < 100; i++) asked.push(ask(`${base}?n=${i}`, { agent }));
    const answers = await Promise.all(asked);
    answers.forEach((answer, i) => {
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), `/?n=${i}`);
      assert.equal(answer.port, answers[0].port);
    });
    agent.destroy();
  },

  // Every kind of answer leaves the connection usable.
  async mixed(base) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const kinds = [
      ["GET", "", 200], ["HEAD", "", 200], ["GET", "nowhere", 404], ["OPTIONS", "count", 204], ["GET", "big", 200],
      ["HEAD", "big", 200], ["POST", "count", 200], ["GET", "raise", 500], ["GET", "count", 405], ["GET", "", 200],
    ];
    const ports = new Set();
    for (const [method, path, status] of kinds) {
      const answer = await ask(base + path, { agent, method });
      assert.equal(answer.status, status, `${method} ${path}`);
      if (method === "HEAD") assert.equal(answer.body.length, 0);
      ports.add(answer.port);
    }
    assert.equal(ports.size, 1);
    agent.destroy();
  },

  async chunkedUpload(base) {
    const answer = await ask(base + "count", { method: "POST" }, async (request) => {
      for (let i = 0; i < 50; i++) {
        if (!request.write(Buffer.alloc(10000, i))) await once(request, "drain");
        if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      request.end();
    });
    assert.equal(answer.status, 200);
    assert.deepEqual(json(answer), { bytes: 500000, sum: 1225 * 10000, encoding: "chunked" });
  },

  // What a browser's form sends: names are escaped in its own way.
  async formData(base) {
    const form = new FormData();
    form.append("ti\"t\nle", "Grüße\n");
    form.append("small", new File(["abc"], "a \"b\".txt", { type: "text/csv" }));
    form.append("large", new Blob([new Uint8Array(300000)]));
    const response = await fetch(base + "form", { method: "POST", body: form });
    assert.deepEqual(await response.json(), {
      fields: ["ti\"t\r\nle", "Grüße\r\n"],
      files: [["small", "a \"b\".txt", "text/csv", 3], ["large", "blob", "application/octet-stream", 300000]],
    });
  },

  async trailers(base) {
    const answer = await ask(base + "count", { method: "POST", headers: { trailer: "x-sum" } }, (request) => {
      request.write("abc");
      request.addTrailers({ "x-sum": "294" });
      request.end();
    });
    assert.equal(json(answer).bytes, 3);
  },

  async expectContinue(base) {
    let continued = false;
    const body = Buffer.alloc(300000, 1);
    const options = { method: "POST", headers: { expect: "100-continue", "content-length": body.length } };
    const answer = await ask(base + "count", options, (request) => {
      request.flushHeaders();
      request.on("continue", () => {
        continued = true;
        request.end(body);
      });
    });
    assert.ok(continued);
    assert.equal(json(answer).bytes, 300000);
  },

  async tooLarge(base) {
    const options = { method: "POST", headers: { "content-length": 5000000 } };
    const answer = await ask(base + "count", options, (request) => request.flushHeaders());
    assert.equal(answer.status, 413);
    // In chunks the size shows late, and the answer comes while the client is still sending.
    const late = await ask(base + "count", { method: "POST" }, (request) => {
      request.on("error", () => {});
      for (let i = 0; i < 40; i++) request.write(Buffer.alloc(65536));
      request.end();
    });
    assert.equal(late.status, 413);
  },

  // The client goes away in the middle of its body: the handler that reads it gets a 400 to handle.
  async abortedUpload(base) {
    for (const headers of [{}, { "content-length": 100000 }]) {
      const before = (await getJson(base + "seen")).broken;
      const request = http.request(base + "count", { method: "POST", headers });
      request.on("error", () => {});
      request.write(Buffer.alloc(5000));
      await until(async () => (await getJson(base + "seen")).reading > 0, "a handler that reads");
      request.destroy();
      const now = await until(async () => {
        const state = await getJson(base + "seen");
        return state.broken > before && state.reading === 0 && state;
      }, "a broken upload");
      assert.equal(now.status, 400);
    }
  },

  async large(base) {
    const answer = await ask(base + "big");
    assert.equal(answer.body.length, 16 * 1024 * 1024);
    assert.ok(answer.complete);
    for (let i = 0; i < 256; i++) assert.equal(answer.body[i * 65536 + 77], i);
  },

  // Gone in the middle of the answer: the stream's writer is told.
  async abortedDownload(base) {
    const request = http.get(base + "endless");
    const [response] = await once(request, "response");
    response.on("error", () => {});
    await once(response, "data");
    response.destroy();
    await until(async () => (await getJson(base + "seen")).told === "closed", "the writer being told");
  },

  async brokenOff(base) {
    const request = http.get(base + "broken");
    const [response] = await once(request, "response");
    response.resume();
    const [error] = await once(response, "error");
    assert.equal(error.code, "ECONNRESET");
    assert.ok(!response.complete);
  },

  async parallel(base) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => ask(`${base}?n=${i}`, { agent })));
    answers.forEach((answer, i) => assert.equal(answer.body.toString(), `/?n=${i}`));
    agent.destroy();
  },

  async cookies(base) {
    const answer = await ask(base + "cookies", { headers: { cookie: "a=1; b=two" } });
    assert.deepEqual(answer.headers["set-cookie"], ["seen=a1btwo; Path=/; HttpOnly; SameSite=Lax", "other=x; Path=/"]);
  },
});
