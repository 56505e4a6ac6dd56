// Chromium, driven by playwright-core: node browser.js SCENARIO URL (that of the project's own routes, or of
// examples/hybrid). A page that logs an error fails its scenario.
"use strict";

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");
const { play } = require("./scenario");

const PATIENCE = 30000; // ms, for each thing that a page is to do

// As root there is no sandbox; the rest keeps the browser from looking for its maker's hosts.
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// Calls scenario(window, errors): window(path) opens one, each with a storage of its own, as two people's browsers have.
async function inBrowser(base, scenario) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: flags });
  const errors = [];
  try {
    await scenario(async (path = "") => {
      const context = await browser.newContext();
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(`${error}`));
      page.on("console", (message) => {
        const { url } = message.location();
        // Not every page names an icon, and then the browser asks for one by itself.
        if (message.type() === "error" && !url.endsWith("/favicon.ico")) errors.push(`${message.text()} (${url})`);
      });
      page.lines = [];
      page.on("console", (message) => page.lines.push(message.text()));
      await page.goto(base + path);
      return page;
    }, errors);
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
  }
}

const connected = (page) => page.locator("#dot.open").waitFor();

async function say(page, name, text) {
  await page.locator("#name").fill(name);
  await page.locator("#text").fill(text);
  await page.locator("#text").press("Enter");
  await mine(page, text);
}

const mine = (page, text) => page.locator("#log .said.mine", { hasText: text }).waitFor();

async function heard(page, name, text) {
  const item = page.locator("#log .said:not(.mine)", { hasText: text });
  await item.waitFor();
  assert.equal(await item.locator("b").innerText(), name);
}

play({
  // Two windows on /: what one says, both show.
  chat: (base) => inBrowser(base, async (window) => {
    const ann = await window();
    await connected(ann);
    const bob = await window();
    await connected(bob);
    await ann.locator("#online", { hasText: "2 online" }).waitFor();
    await say(ann, "Ann", "hello, is anybody here?");
    await heard(bob, "Ann", "hello, is anybody here?");
    await say(bob, "Bob", "<b>yes</b> & \"no\": Grüße 🦊");
    await heard(ann, "Bob", "<b>yes</b> & \"no\": Grüße 🦊");

    // A page that is loaded anew is in the room again, under the same name.
    await bob.reload();
    await connected(bob);
    assert.equal(await bob.locator("#name").inputValue(), "Bob");
    await say(bob, "Bob", "back again");
    await heard(ann, "Bob", "back again");
    await bob.close();
    await ann.locator("#online", { hasText: "1 online" }).waitFor();
    await ann.close();
  }),

  // The server stops and another takes its place: the page comes back by itself. Says what it waits for.
  returns: (base) => inBrowser(base, async (window, errors) => {
    const page = await window();
    await connected(page);
    console.log("connected");
    await page.locator("#dot.lost").waitFor();
    assert.ok(await page.locator("#send").isDisabled());
    console.log("lost");
    await connected(page);
    await say(page, "Ann", "still the same page");
    errors.length = 0; // Chromium logs every connection that it does not get
  }),

  // The page of browser_topics_spec.lua, behind a proxy that is killed and comes back, and then so does its server. Says
  // what it waits for.
  topics: (base) => inBrowser(base, async (window, errors) => {
    const page = await window();
    const until = (what, argument) => page.waitForFunction(what, argument);
    const seen = () => page.evaluate(() => ({ got, ids, recovered, states }));
    const publish = (...texts) => page.evaluate((list) => list.map((text) => topics.publish("chat", text)), texts);

    await publish("hello");
    await until(() => got.length === 1);
    console.log("ready");

    await until(() => states.at(-1) === "lost");
    assert.deepEqual(await publish("queued 1", "queued 2", "too many"), [true, true, false]);
    console.log("lost the connection");
    await until(() => got.length >= 23);
    const meanwhile = Array.from({ length: 20 }, (_, i) => `${i + 1}`);
    assert.deepEqual((await seen()).got, ["hello", ...meanwhile, "queued 1", "queued 2"]);
    assert.deepEqual((await seen()).recovered, [true]);
    console.log("caught up");

    await until(() => states.at(-1) === "lost");
    console.log("lost the server");
    await until(() => recovered.length === 2);
    assert.deepEqual((await seen()).recovered, [true, false]);
    await publish("live");
    await until(() => got.length >= 24);
    const { got, ids, states } = await seen();
    assert.equal(got[23], "live");
    assert.equal(new Set(ids).size, 24);

    await page.evaluate(() => topics.close());
    await until(() => states.at(-1) === "closed");
    assert.deepEqual((await seen()).states, [...states, "closed"]);
    assert.deepEqual(await publish("behind the end"), [false]);
    errors.length = 0; // Chromium logs every connection that it does not get
  }),

  // The project's own /hybrid shows what its WebSocket gets.
  hybrid: (base) => inBrowser(base, async (window) => {
    const page = await window("hybrid");
    await page.locator("#said", { hasText: "WebSocket connection established" }).waitFor();
  }),

  // That of the example logs it.
  hybridExample: (base) => inBrowser(base, async (window) => {
    const page = await window("hybrid");
    const line = "Received: WebSocket connection established";
    if (!page.lines.includes(line)) {
      await page.waitForEvent("console", { predicate: (message) => message.text() === line, timeout: PATIENCE });
    }
  }),

  // A thousand messages through each of the echoes, which Chromium offers to compress by itself.
  deflate: (base) => inBrowser(base, async (window) => {
    const page = await window();
    for (const path of ["compressed", "takeover", "takeover?bits=9"]) {
      const { extensions, wrong } = await page.evaluate((address) => new Promise((resolve, reject) => {
        const socket = new WebSocket(address);
        const sent = Array.from({ length: 1000 }, (_, i) => `message ${i} ${Math.random()} 🦊 `.repeat(i % 50));
        let got = 0, wrong = 0;
        socket.onopen = () => sent.forEach((text) => socket.send(text));
        socket.onmessage = ({ data }) => {
          if (data !== sent[got++]) wrong++;
          if (got === sent.length) socket.close(1000);
        };
        socket.onclose = ({ code }) => {
          if (code !== 1000) reject(new Error(`closed with ${code} after ${got}`));
          resolve({ extensions: socket.extensions, wrong });
        };
      }), base.replace(/^http/, "ws") + path);
      assert.match(extensions, /^permessage-deflate/);
      assert.equal(wrong, 0);
    }
  }),

  // Links of the start page lead somewhere.
  links: (base) => inBrowser(base, async (window, errors) => {
    const page = await window();
    const links = await page.locator(".routes a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    assert.ok(links.length >= 5);
    for (const link of links) {
      const answer = await page.request.get(base + link.slice(1));
      assert.equal(answer.status(), link === "/admin" ? 401 : 200, link);
    }
    await page.goto(base + "nowhere");
    assert.match(await page.locator("h1").innerText(), /404/);
    errors.length = 0; // the 404 itself is logged
  }),
});
