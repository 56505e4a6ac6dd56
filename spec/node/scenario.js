// What the client scripts share: `node SCRIPT SCENARIO URL …` plays one scenario. Exit code 0 means that it went as
// expected and that nothing was left open, since the process ends by itself.
"use strict";

const PATIENCE = 60; // seconds

function fail(error) {
  console.error(error && error.stack ? error.stack : error);
  process.exit(1);
}

exports.play = function play(scenarios) {
  const [name, ...rest] = process.argv.slice(2);
  if (!scenarios[name]) fail(`there is no scenario ${name}; there are ${Object.keys(scenarios).join(", ")}`);
  setTimeout(() => fail(`${name}: not done after ${PATIENCE} s`), PATIENCE * 1000).unref();
  process.on("unhandledRejection", fail);
  scenarios[name](...rest).catch(fail);
};

// Asks until the answer is what it should be: what the server sees comes a moment after what the client does.
exports.until = async function until(ask, what) {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain for ${what}`);
};

// GET as JSON, on a connection of its own.
exports.getJson = async function getJson(url) {
  const answer = await fetch(url, { headers: { connection: "close" } });
  return answer.json();
};
